// SPDX-License-Identifier: MIT
// Writes one line to the caller's log.
#ifndef FUM_BASE_LOG_H
#define FUM_BASE_LOG_H

#include <fumarole/core.h>

// Writes a message: one line without a newline at its end, escaped, at most 1 KiB. `log` may be
// NULL: silence.
void fum_log(const struct fum_log *log, enum fum_log_level level, const char *fmt, ...)
    FUM_PRINTF(3, 4);
// True if a message of this level is shown. Lets a caller skip building an expensive one.
bool fum_log_wants(const struct fum_log *log, enum fum_log_level level);

#endif
