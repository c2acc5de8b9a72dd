// SPDX-License-Identifier: MIT
// The golden strings of tests/data/tokenizer.json (see tests/golden/tokenizer.py).
#ifndef TESTS_TEXT_GOLDEN_H
#define TESTS_TEXT_GOLDEN_H

#include "base/json.h"

#include <fumarole/tokenizer.h>

// Parses the file; free with cJSON_Delete. Fails the test when it is not there.
cJSON *golden_load(void);
// The text of one string, in `buffer` (512 bytes) where the file gives it in hexadecimal.
const char *golden_text(const cJSON *row, char *buffer, size_t *bytes);
// Compares the ids of all strings with those under `key` (or "e" where that is left out).
void golden_check(const cJSON *golden, const fum_tokenizer *tokenizer, const char *key);

#endif
