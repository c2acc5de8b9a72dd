// SPDX-License-Identifier: MIT
// Prints what `fumarole info` finds as one JSON object.
#ifndef FUM_CLI_INFO_JSON_H
#define FUM_CLI_INFO_JSON_H

#include <fumarole/contents.h>
#include <fumarole/model.h>

// Prints a model with its problems, and reports one that lacks tensors. Returns the exit status.
int cli_info_print_model(const fum_model *model);
int cli_info_print_contents(const fum_contents *contents);

#endif
