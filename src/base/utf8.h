// SPDX-License-Identifier: MIT
// Encodes and decodes UTF-8.
#ifndef FUM_BASE_UTF8_H
#define FUM_BASE_UTF8_H

#include <fumarole/core.h>

enum { FUM_UTF8_REPLACEMENT = 0xfffd };

// Returns the code point at text[0], and sets *used to the 1 to 4 bytes read. Invalid bytes give
// U+FFFD, one for each longest start of a valid sequence, as Python's errors="replace" does.
// `bytes` is at least 1.
uint32_t fum_utf8_next(const char *text, size_t bytes, size_t *used);
// Returns the length of the character at text[0], or 0 if it is invalid UTF-8. `bytes` is at least
// 1.
size_t fum_utf8_length(const char *text, size_t bytes);
// Returns the length of the byte order mark that Windows editors put before a text, or 0.
size_t fum_utf8_mark(const char *text, size_t bytes);
// Writes 1 to 4 bytes and returns their number.
size_t fum_utf8_put(char *out, uint32_t code);

#endif
