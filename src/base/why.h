// SPDX-License-Identifier: MIT
// Holds the reason why a call is refused. The caller adds the other parts of the message.
#ifndef FUM_BASE_WHY_H
#define FUM_BASE_WHY_H

#include <fumarole/core.h>

struct fum_why {
    char text[256];
};

// Writes the reason into `why` (may be NULL) and returns false, so that a function can end with
// `return fum_refuse(why, …)`.
bool fum_refuse(struct fum_why *why, const char *fmt, ...) FUM_PRINTF(2, 3);

#endif
