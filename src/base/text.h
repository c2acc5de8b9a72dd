// SPDX-License-Identifier: MIT
// Escapes and shortens text from files, drivers and arguments for terminals and messages.
#ifndef FUM_BASE_TEXT_H
#define FUM_BASE_TEXT_H

#include <fumarole/core.h>

#include <stdarg.h>

// Formats one line into out[size], escaped as fum_text_escape does. A text that does not fit loses
// the middle of its longest words, which are paths. Messages begin with what failed and end with
// why. `size` is at least 64.
void fum_text_format(char *out, size_t size, const char *fmt, va_list args);

// Returns a name for use within a message: escaped, and without its middle if that has more than
// 120 bytes.
struct fum_shown {
    char text[124];
};
struct fum_shown fum_text_show(const char *text);
// Does the same for text that need not end in NUL.
struct fum_shown fum_text_show_bytes(const char *text, size_t bytes);

// True if a text ends with another one.
bool fum_text_ends_with(const char *text, const char *end);

#endif
