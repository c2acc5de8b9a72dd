// SPDX-License-Identifier: MIT
#include "data/class_names.h"

#include "base/file.h"

#include <string.h>

enum { MAX_BYTES = 1 << 16, MAX_NAMES = 256 };

const char **fum_class_names_read(fum_arena *arena, const char *path, int *count) {
    const char **names = fum_arena_alloc(arena, MAX_NAMES, sizeof *names);
    char *text = NULL;
    *count = 0;
    if (!names || !fum_path_may_exist(path) || fum_file_read(path, MAX_BYTES, &text, NULL, NULL))
        return NULL;
    for (const char *at = text; *at && *count < MAX_NAMES;) {
        size_t n = strcspn(at, "\r\n");
        if (n) names[*count] = fum_arena_printf(arena, "%.*s", (int)n, at);
        if (n && !names[(*count)++]) break;
        at += n + strspn(at + n, "\r\n");
    }
    fum_free(text);
    return *count && names[*count - 1] ? names : NULL;
}
