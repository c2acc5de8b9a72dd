// SPDX-License-Identifier: MIT
// Finds the files of fonts.
#ifndef FUM_DATA_FONTS_H
#define FUM_DATA_FONTS_H

#include "base/alloc.h"

struct fum_fonts {
    fum_arena *arena;   // holds the paths
    const char **paths; // sorted within each folder; freed with fum_free
    size_t count, capacity;
};
// Lists the fonts of a file or folder with those below it, or of the system's folders if `path` is
// NULL. Finding none is an error.
enum fum_result fum_fonts_find(struct fum_fonts *fonts, const char *path, struct fum_error *err);

#endif
