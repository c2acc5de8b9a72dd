// SPDX-License-Identifier: MIT
// Files of names of classes, a line each.
#ifndef FUM_DATA_CLASS_NAMES_H
#define FUM_DATA_CLASS_NAMES_H

#include "base/alloc.h"

struct fum_class_names {
    fum_arena *arena;   // holds what follows
    const char **names; // NULL: none
    int count;
};
// Reads the names. None are in a file that is missing.
enum fum_result fum_class_names_read(struct fum_class_names *names, const char *path,
                                     struct fum_error *err);

#endif
