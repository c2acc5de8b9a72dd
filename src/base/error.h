// SPDX-License-Identifier: MIT
// Filling struct fum_error.
#ifndef FUM_BASE_ERROR_H
#define FUM_BASE_ERROR_H

#include <fumarole/core.h>

// Writes code and text into `err` (which may be NULL) and returns `code`, so that a function can
// end with `return fum_error_set(err, FUM_ERR_IO, …)`. Say what, where and what to do, in one line
// without a newline. Names from files need no cleaning here: the whole text is escaped, and cut in
// its middle where it is too long.
enum fum_result fum_error_set(struct fum_error *err, enum fum_result code, const char *fmt, ...)
    FUM_PRINTF(3, 4);

// Puts "text: " before what `err` already says, as an error travels up: "model.safetensors: tensor
// x: …".
void fum_error_prefix(struct fum_error *err, const char *fmt, ...) FUM_PRINTF(2, 3);

#endif
