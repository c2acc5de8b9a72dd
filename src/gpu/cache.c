// SPDX-License-Identifier: MIT
// Names of files in the cache folder.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/file.h"

char *fum_cache_path(const struct fum_device_info *info, const char *dir, const char *kind) {
    fum_arena *arena = fum_arena_create();
    char *path = NULL;
    if (!arena) return NULL;
    if (!dir) dir = fum_path_cache_dir(arena);
    if (dir && *dir) {
        char hex[33] = "";
        for (int i = 0; i < 16; i++) {
            hex[2 * i] = "0123456789abcdef"[info->uuid[i] >> 4];
            hex[2 * i + 1] = "0123456789abcdef"[info->uuid[i] & 15];
        }
        char *name = fum_arena_printf(arena, "%s-%s-%08x-%s.bin", kind, hex, info->driver_version,
                                      FUM_VERSION);
        char *joined = name ? fum_path_join(arena, dir, name) : NULL;
        path = joined ? fum_strdup(joined) : NULL;
    }
    fum_arena_destroy(&arena);
    return path;
}

uint64_t fum_cache_sum(const void *data, size_t bytes) { // FNV-1a
    const uint8_t *p = data;
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}
