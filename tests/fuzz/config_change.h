// SPDX-License-Identifier: MIT
// Changes to JSON documents that keep them JSON: numbers, types, missing and added keys, other
// names.
#ifndef TESTS_FUZZ_CONFIG_CHANGE_H
#define TESTS_FUZZ_CONFIG_CHANGE_H

#include "choices.h"

#include <cjson/cJSON.h>

// Changes one item of the document, chosen by `c`.
void config_change(cJSON *document, struct choices *c);

#endif
