// SPDX-License-Identifier: MIT
// Files of names of classes, a line each.
#ifndef FUM_DATA_CLASS_NAMES_H
#define FUM_DATA_CLASS_NAMES_H

#include "base/alloc.h"

// Returns the names in a file, and stores their number. NULL if the file is missing or has none, or
// if memory is out: classes then have numbers.
const char **fum_class_names_read(fum_arena *arena, const char *path, int *count);

#endif
