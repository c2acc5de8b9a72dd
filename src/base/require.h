// SPDX-License-Identifier: MIT
// Checks what callers of the library must give.
#ifndef FUM_BASE_REQUIRE_H
#define FUM_BASE_REQUIRE_H

#include <fumarole/core.h>

// Returns FUM_OK if a pointer is not NULL, else FUM_ERR_ARG with the text "WHAT is required".
enum fum_result fum_require(const void *given, const char *what, struct fum_error *err);

#endif
