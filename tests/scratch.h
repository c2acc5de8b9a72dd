// SPDX-License-Identifier: MIT
// Removes what a test wrote.
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include "base/alloc.h"
#include "base/file.h"

// Removes a file, or a folder with what is in it.
static inline void remove_all(const char *path) {
    fum_arena *arena = fum_arena_create();
    struct fum_path_names names = {0};
    if (fum_path_is_dir(path) && !fum_path_list(arena, path, &names, NULL))
        for (size_t i = 0; i < names.count; i++)
            remove_all(fum_path_join(arena, path, names.names[i]));
    fum_path_remove(path, NULL);
    fum_arena_destroy(&arena);
}

#endif
