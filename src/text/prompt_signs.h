// SPDX-License-Identifier: MIT
// Finds signs of the prompt grammar of A1111, ComfyUI and sd-cli that fumarole does not implement
// and encodes as plain text.
#ifndef FUM_TEXT_PROMPT_SIGNS_H
#define FUM_TEXT_PROMPT_SIGNS_H

#include <stddef.h>

// Returns one bit for each kind of sign in the prompt. 0: plain text. Takes time proportional to
// its length.
unsigned fum_prompt_signs(const char *prompt);

// Writes the names of the kinds, separated by commas. `text` is always terminated.
void fum_prompt_signs_list(unsigned signs, char *text, size_t size);

#endif
