// SPDX-License-Identifier: MIT
#include "base/log.h"

#include "base/text.h"

#include <stdarg.h>

bool fum_log_wants(const struct fum_log *log, enum fum_log_level level) {
    if (!log || !log->fn) return false;
    return level <= (log->level ? log->level : FUM_LOG_WARN);
}

void fum_log(const struct fum_log *log, enum fum_log_level level, const char *fmt, ...) {
    if (!fum_log_wants(log, level)) return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    fum_text_format(text, sizeof text, fmt, args);
    va_end(args);
    log->fn(log->user, level, text);
}
