// SPDX-License-Identifier: MIT
// Joins paths, makes folders, and finds the cache folder.
#include "base/error.h"
#include "base/file.h"
#include "base/file_system.h"

#include <stdlib.h>
#include <string.h>

bool fum_path_may_exist(const char *path) {
    enum fum_file_kind kind;
    return fum_file_look(path, &kind, NULL) || kind != FUM_FILE_NONE;
}

bool fum_path_is_dir(const char *path) {
    enum fum_file_kind kind;
    return !fum_file_look(path, &kind, NULL) && kind == FUM_FILE_FOLDER;
}

char *fum_path_join(fum_arena *arena, const char *dir, const char *name) {
    size_t n = strlen(dir);
    return fum_arena_printf(arena, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

enum fum_result fum_path_make_dirs(const char *path, struct fum_error *err) {
    char *copy = fum_strdup(path);
    if (!copy) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    enum fum_result result = FUM_OK;
    for (char *p = copy; *copy && !result; p++) {
        if ((*p != '/' && *p) || p == copy) continue;
        char at = *p;
        *p = 0;
        result = fum_path_make_dir(copy, err);
        *p = at;
        if (!at) break;
    }
    fum_free(copy);
    return result;
}

// ---- names in a folder ----

struct listing {
    fum_arena *arena;
    struct fum_path_names names; // the array grows outside the arena
};

static bool add_name(void *user, const char *name) {
    struct listing *l = user;
    struct fum_path_names *n = &l->names;
    if (!strcmp(name, ".") || !strcmp(name, "..")) return true;
    if (!fum_grow((void **)&n->names, &n->capacity, n->count, sizeof *n->names)) return false;
    n->names[n->count] = fum_arena_strdup(l->arena, name);
    return n->names[n->count++] != NULL;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum fum_result fum_path_list(fum_arena *arena, const char *dir, struct fum_path_names *names,
                              struct fum_error *err) {
    struct listing l = {.arena = arena};
    *names = (struct fum_path_names){0};
    enum fum_result result = fum_system_list(dir, add_name, &l, err);
    size_t count = l.names.count;
    if (!result) names->names = fum_arena_alloc(arena, count + 1, sizeof *names->names);
    if (!result && !names->names)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the names in %s", dir);
    if (!result && count) {
        memcpy(names->names, l.names.names, count * sizeof *names->names);
        qsort(names->names, count, sizeof *names->names, compare_names);
        names->count = count;
    }
    fum_free(l.names.names);
    return result;
}

char *fum_path_cache_dir(fum_arena *arena) {
    const char *own = getenv("FUMAROLE_CACHE");
    if (own && *own) return fum_arena_strdup(arena, own);
    const char *xdg = getenv("XDG_CACHE_HOME");
    if (xdg && *xdg == '/') return fum_path_join(arena, xdg, "fumarole");
#if defined(_WIN32)
    const char *local = getenv("LOCALAPPDATA");
    if (local && *local) return fum_path_join(arena, local, "fumarole");
#endif
    const char *home = getenv("HOME");
    return home && *home ? fum_path_join(arena, home, ".cache/fumarole") : NULL;
}
