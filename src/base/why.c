// SPDX-License-Identifier: MIT
#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>

bool fum_refuse(struct fum_why *why, const char *fmt, ...) {
    va_list args;
    if (!why) return false;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return false;
}
