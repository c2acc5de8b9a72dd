// SPDX-License-Identifier: MIT
// The rows of a catalogue, and the memory that they point into.
#include "catalogue_inner.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void *catalogue_own(struct catalogue *catalogue, void *memory) {
    size_t count = catalogue->num_owned;
    void **grown = memory ? realloc(catalogue->owned, (count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(memory);
        return NULL;
    }
    catalogue->owned = grown;
    catalogue->owned[catalogue->num_owned++] = memory;
    return memory;
}

void catalogue_log(const struct catalogue *catalogue, const char *fmt, ...) {
    const struct fum_log *log = catalogue->log;
    char text[500], line[500];
    va_list args;
    if (!log || !log->fn) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fum_text_escape(line, sizeof line, text, strlen(text));
    log->fn(log->user, FUM_LOG_WARN, line);
}

// Returns the last part of a path, which may end in "/".
static char *copy_last_part(const char *path) {
    size_t end = strlen(path), begin;
    while (end > 1 && path[end - 1] == '/') end--;
    for (begin = end; begin > 0 && path[begin - 1] != '/';) begin--;
    char *copy = malloc(end - begin + 1);
    if (!copy) return NULL;
    memcpy(copy, path + begin, end - begin);
    copy[end - begin] = 0;
    return copy;
}

// Returns the file's name without the ending of a file of weights.
static char *copy_stem(const char *file) {
    static const char *const endings[] = {".safetensors", ".ckpt", ".gguf", ".pth", ".pt", ".bin"};
    char *copy = cli_copy(file), *dot = copy ? strrchr(copy, '.') : NULL;
    for (size_t i = 0; dot && dot > copy && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(dot, endings[i]) == 0) *dot = 0;
    return copy;
}

static bool has_name(const struct catalogue_shelf *shelf, const char *name) {
    for (size_t i = 0; i < shelf->count; i++)
        if (strcmp(shelf->rows[i]->entry.name, name) == 0) return true;
    return false;
}

struct catalogue_row *catalogue_add(struct catalogue *catalogue, enum catalogue_kind kind,
                                    const char *path, bool *taken) {
    return catalogue_add_within(catalogue, kind, path, path, taken);
}

struct catalogue_row *catalogue_add_within(struct catalogue *catalogue, enum catalogue_kind kind,
                                           const char *path, const char *folder, bool *taken) {
    struct catalogue_shelf *shelf = &catalogue->shelves[kind];
    char *file = catalogue_own(catalogue, copy_last_part(folder));
    char *name = file ? catalogue_own(catalogue, copy_stem(file)) : NULL,
         *copy = catalogue_own(catalogue, cli_copy(path));
    *taken = name && has_name(shelf, name);
    if (!name || !copy || *taken) return NULL;
    struct catalogue_row *row = catalogue_own(catalogue, calloc(1, sizeof *row));
    struct catalogue_row **grown =
        row ? realloc(shelf->rows, (shelf->count + 1) * sizeof *grown) : NULL;
    if (!grown) return NULL;
    row->file = file;
    row->entry.name = name;
    row->entry.path = copy;
    atomic_init(&row->entry.hash, NULL);
    atomic_init(&row->entry.title, name);
    shelf->rows = grown;
    shelf->rows[shelf->count++] = row;
    return row;
}

bool catalogue_set_hash(struct catalogue *catalogue, struct catalogue_row *row, const char *hash) {
    size_t size = strlen(row->entry.name) + 16;
    char *copy = cli_copy(hash), *title = malloc(size);
    if (!copy || !title) {
        free(copy);
        free(title);
        return false;
    }
    snprintf(title, size, "%s [%.10s]", row->entry.name, hash);
    catalogue->made[catalogue->num_made++] = copy;
    catalogue->made[catalogue->num_made++] = title;
    row->entry.hash = copy;
    row->entry.title = title;
    return true;
}
