// SPDX-License-Identifier: MIT
// One line to the caller's log.
#ifndef FUM_BASE_LOG_H
#define FUM_BASE_LOG_H

#include <fumarole/core.h>

// `log` may be NULL: silence. Messages are one line, no newline at the end, escaped, at most 1 KiB.
void fum_log(const struct fum_log *log, enum fum_log_level level, const char *fmt, ...)
    FUM_PRINTF(3, 4);
// Whether a message of this level would be shown; asks before building an expensive one.
bool fum_log_wants(const struct fum_log *log, enum fum_log_level level);

#endif
