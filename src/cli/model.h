// SPDX-License-Identifier: MIT
// Opens models for commands that work on their files.
#ifndef FUM_CLI_MODEL_H
#define FUM_CLI_MODEL_H

#include <fumarole/model.h>

// Opens a model, also one of the shipped ones. Returns 0, or prints the error and returns an exit
// status. *model is to be destroyed in any case.
int cli_open_model(fum_model **model, const char *path, const struct fum_log *log);

#endif
