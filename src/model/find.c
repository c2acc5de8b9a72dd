// SPDX-License-Identifier: MIT
// Finds models by path, and the shipped ones by name.
#include "model/find.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "io/folder.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MODEL "emoji"

enum { LEVELS_UP = 4 };

// Returns the path without its last part, which *last gets: "a/b" of "a/b/c", "." of "c". NULL when
// memory is out.
static char *parent_of(fum_arena *arena, const char *path, const char **last) {
    char *copy = fum_arena_strdup(arena, path);
    if (!copy) return NULL;
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = 0;
    char *slash = strrchr(copy, '/');
    *last = slash && slash[1] ? slash + 1 : copy;
    if (!slash) return fum_arena_strdup(arena, ".");
    if (slash == copy) return fum_arena_strdup(arena, "/");
    *slash = 0;
    return copy;
}

// True if model_index.json in `dir` names the component.
static bool names_component(fum_arena *arena, const char *dir, const char *name) {
    char *path = fum_path_join(arena, dir, "model_index.json");
    cJSON *index = NULL;
    if (!path || fum_json_read(&index, path, NULL)) return false;
    bool named = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(index, name));
    cJSON_Delete(index);
    return named;
}

static bool is_there(const char *path) {
    enum fum_file_kind kind;
    return !fum_file_look(path, &kind, NULL) && kind != FUM_FILE_NONE;
}

const char *fum_model_snapshot(fum_arena *arena, const char *path) {
    enum { MAX_REVISION = 100 };
    char *ref = fum_path_join(arena, path, "refs/main"), *revision = NULL;
    const char *found = NULL;
    if (!ref || fum_file_read(ref, MAX_REVISION, &revision, NULL, NULL)) return NULL;
    revision[strcspn(revision, "\r\n ")] = 0;
    if (*revision && *revision != '.' && !strpbrk(revision, "/\\"))
        found = fum_arena_printf(arena, "%s/snapshots/%s", path, revision);
    fum_free(revision);
    return found && fum_path_is_dir(found) ? found : NULL;
}

// Returns the only file of a folder if it is a safetensors file, such as what a training of an
// adapter leaves, else the folder.
static const char *only_file(fum_arena *arena, const char *dir) {
    static const char ending[] = ".safetensors";
    struct fum_path_names list;
    const char *only = NULL;
    size_t seen = 0;
    if (fum_path_list(arena, dir, &list, NULL)) return dir;
    for (size_t i = 0; i < list.count; i++) {
        if (list.names[i][0] == '.') continue; // hidden
        only = list.names[i];
        seen++;
    }
    if (seen != 1) return dir;
    const char *dot = strrchr(only, '.'), *path = fum_path_join(arena, dir, only);
    return dot && !strcmp(dot, ending) && path && !fum_path_is_dir(path) ? path : dir;
}

// Returns the diffusers folder that `path` lies in, as its model_index.json, a component's folder,
// or a file there. A training's folder holds its model as "model". Else `path`.
static const char *whole_folder(fum_arena *arena, const char *path) {
    const char *last = "", *component = "";
    char *dir = parent_of(arena, path, &last),
         *above = dir ? parent_of(arena, dir, &component) : NULL;
    if (!above) return path;
    const char *snapshot = fum_path_is_dir(path) ? fum_model_snapshot(arena, path) : NULL;
    if (snapshot) return snapshot;
    char *trained = fum_path_join(arena, path, "model"); // in a training's folder
    if (trained && fum_path_is_dir(trained) && !fum_folder_is(path))
        return only_file(arena, trained);
    if (fum_path_is_dir(path))
        return !fum_folder_is(path) && names_component(arena, dir, last) ? dir
                                                                         : only_file(arena, path);
    if (!strcmp(last, "model_index.json")) return dir;
    return names_component(arena, above, component) ? above : path;
}

// A search for a shipped model of that name.
struct search {
    fum_arena *arena;
    const char *name;
    const char *found; // NULL: not yet
    bool no_memory;
};

// Looks for the model in `dir`, if there is such a folder. Returns true when the search ends.
static bool look_in(struct search *s, const char *dir) {
    if (!dir || !*dir) return false;
    const char *path = fum_path_join(s->arena, dir, s->name);
    s->no_memory = !path;
    if (path && is_there(path)) s->found = path;
    return s->found || s->no_memory;
}

// Looks beside the program and some folders above it: in the installed share folder, and in the
// source tree that holds the build folder.
static bool look_beside(struct search *s, const char *program_dir) {
    char *dir = fum_arena_strdup(s->arena, program_dir);
    s->no_memory = !dir;
    for (int level = 0; dir && *dir && level < LEVELS_UP; level++) {
        const char *share = fum_path_join(s->arena, dir, "share/fumarole/models"),
                   *sources = fum_path_join(s->arena, dir, "meson.build"),
                   *models = fum_path_join(s->arena, dir, "models");
        s->no_memory = !share || !sources || !models;
        if (s->no_memory || look_in(s, share)) return true;
        if (is_there(sources) && look_in(s, models)) return true;
        char *slash = strrchr(dir, '/');
        if (!slash) break;
        *slash = 0;
    }
    return s->no_memory;
}

static void find_shipped(struct search *s, const struct fum_model_params *params) {
    if (look_in(s, params->models_dir) || look_in(s, getenv("FUMAROLE_MODELS"))) return;
    if (params->program_dir && look_beside(s, params->program_dir)) return;
    look_in(s, FUM_MODELS_DIR);
}

// Reports that no such model was found. `shipped`: a shipped model could have the name.
static enum fum_result fail(const struct fum_model_params *params, bool shipped,
                            struct fum_error *err) {
    if (!params->path)
        return fum_error_set(err, FUM_ERR_IO,
                             "the shipped model \"" DEFAULT_MODEL
                             "\" is neither in $FUMAROLE_MODELS nor %s",
                             params->program_dir ? "beside the program" : "in " FUM_MODELS_DIR);
    return fum_error_set(err, FUM_ERR_IO, "%s: no such file or folder%s", params->path,
                         shipped ? ", and no shipped model of that name"
                                 : ": give a diffusers folder or a checkpoint");
}

enum fum_result fum_model_find(const char **path, fum_arena *arena,
                               const struct fum_model_params *params, struct fum_error *err) {
    static const struct fum_model_params none;
    if (!params) params = &none;
    struct search s = {.arena = arena, .name = params->path ? params->path : DEFAULT_MODEL};
    bool shipped = *s.name && !strpbrk(s.name, "/\\") && strcmp(s.name, "..");
    if (params->path && fum_path_may_exist(params->path)) {
        s.found = fum_arena_strdup(arena, whole_folder(arena, params->path));
        s.no_memory = !s.found;
    } else if (shipped) {
        find_shipped(&s, params);
    }
    *path = s.found;
    if (s.no_memory) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to find a model");
    return s.found ? FUM_OK : fail(params, shipped, err);
}

// Returns the name of the model whose snapshot `dir`/… is, "name" of
// "models--owner--name/snapshots"; NULL: it is none.
static const char *cached_name(fum_arena *arena, const char *dir) {
    static const char start[] = "models--";
    const char *last = NULL, *cached = NULL;
    char *above = dir ? parent_of(arena, dir, &last) : NULL;
    if (!above || strcmp(last, "snapshots") || !parent_of(arena, above, &cached)) return NULL;
    if (strncmp(cached, start, strlen(start))) return NULL;
    const char *name = cached + strlen(start);
    for (const char *next; (next = strstr(name, "--"));) name = next + 2;
    return *name ? name : NULL;
}

const char *fum_model_path_name(fum_arena *arena, const char *path) {
    const char *last = NULL, *above = NULL;
    char *dir = parent_of(arena, path, &last);
    const char *cached = cached_name(arena, dir);
    if (cached) return cached;
    // The model of a training is named as the training's folder.
    bool trained = dir && !strcmp(last, "model") && strcmp(dir, ".");
    if (trained && parent_of(arena, dir, &above)) return above;
    return dir ? last : NULL;
}
