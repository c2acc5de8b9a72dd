// SPDX-License-Identifier: MIT
// UTF-8, both ways.
#ifndef FUM_BASE_UTF8_H
#define FUM_BASE_UTF8_H

#include <fumarole/core.h>

enum { FUM_UTF8_REPLACEMENT = 0xfffd };

// Returns the code point at text[0]; *used (1 to 4) bytes were read. Bytes that are not UTF-8 give
// U+FFFD, one for each longest start of a valid sequence, as Python's errors="replace" does.
// `bytes` is at least 1.
uint32_t fum_utf8_next(const char *text, size_t bytes, size_t *used);
// Returns the length of the character at text[0], or 0 where that is not UTF-8. `bytes` is at
// least 1.
size_t fum_utf8_length(const char *text, size_t bytes);
// Returns the length of the byte order mark that Windows editors put before a text, or 0 if there
// is none.
size_t fum_utf8_mark(const char *text, size_t bytes);
// Writes 1 to 4 bytes and returns how many.
size_t fum_utf8_put(char *out, uint32_t code);

#endif
