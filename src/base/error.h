// SPDX-License-Identifier: MIT
// Fills struct fum_error.
#ifndef FUM_BASE_ERROR_H
#define FUM_BASE_ERROR_H

#include <fumarole/core.h>

// Writes code and text into `err` (which may be NULL) and returns `code`, so that a function can
// end with `return fum_error_set(err, FUM_ERR_IO, …)`. The text states what failed, where, and what
// to do, in one line without a newline. Names from files need no cleaning, since the whole text is
// escaped. A text that is too long loses its middle.
enum fum_result fum_error_set(struct fum_error *err, enum fum_result code, const char *fmt, ...)
    FUM_PRINTF(3, 4);

// Adds to the text of `err`.
void fum_error_append(struct fum_error *err, const char *fmt, ...) FUM_PRINTF(2, 3);

// Puts "text: " before the text of `err` as an error travels up: "model.safetensors: tensor x: …".
void fum_error_prefix(struct fum_error *err, const char *fmt, ...) FUM_PRINTF(2, 3);

// Sets FUM_ERR_ARG: "unknown WHAT "WORD"; available: A, B, C". `name` returns the index-th name
// that exists, NULL past the last. Returns FUM_ERR_ARG.
enum fum_result fum_error_unknown(struct fum_error *err, const char *what, const char *word,
                                  const char *(*name)(size_t index));

#endif
