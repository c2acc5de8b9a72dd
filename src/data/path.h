// SPDX-License-Identifier: MIT
// Paths of files that may be there, in buffers, so that looking for them needs no memory.
#ifndef FUM_DATA_PATH_H
#define FUM_DATA_PATH_H

#include <fumarole/core.h>

#include <stdarg.h>
#include <stdio.h>

struct fum_data_path {
    char text[4096];
};

// Formats a path. False if it is longer than systems open; the text is then "".
FUM_PRINTF(2, 3)
static inline bool fum_data_path_set(struct fum_data_path *path, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(path->text, sizeof path->text, fmt, args);
    va_end(args);
    bool fits = bytes >= 0 && (size_t)bytes < sizeof path->text;
    if (!fits) path->text[0] = 0;
    return fits;
}

#endif
