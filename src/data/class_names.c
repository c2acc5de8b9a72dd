// SPDX-License-Identifier: MIT
#include "data/class_names.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>

enum { MAX_BYTES = 1 << 20 };

// Copies the lines of a text that are not empty. False if memory is out.
static bool copy_lines(struct fum_class_names *names, const char *text) {
    size_t lines = 1, used;
    for (const char *at = text; *at; at++) lines += *at == '\n';
    names->names = fum_arena_alloc(names->arena, lines, sizeof *names->names);
    if (!names->names) return false;
    for (const char *at = text; *at; at += used) {
        size_t n = strcspn(at, "\r\n");
        used = n + strspn(at + n, "\r\n");
        if (!n) continue;
        names->names[names->count] = fum_arena_printf(names->arena, "%.*s", (int)n, at);
        if (!names->names[names->count++]) return false;
    }
    return true;
}

enum fum_result fum_class_names_read(struct fum_class_names *names, const char *path,
                                     struct fum_error *err) {
    char *text = NULL;
    if (!fum_path_may_exist(path)) return FUM_OK;
    enum fum_result result = fum_file_read(path, MAX_BYTES, &text, NULL, err);
    if (!result && !copy_lines(names, text))
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its names", path);
    fum_free(text);
    return result;
}
