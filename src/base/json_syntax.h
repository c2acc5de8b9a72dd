// SPDX-License-Identifier: MIT
// Checks JSON without an allocation.
#ifndef FUM_BASE_JSON_SYNTAX_H
#define FUM_BASE_JSON_SYNTAX_H

#include <fumarole/core.h>

// True if the text begins with a valid JSON value, nested at most as deeply as cJSON accepts.
bool fum_json_well_formed(const char *text, size_t bytes);

#endif
