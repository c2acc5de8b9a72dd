// SPDX-License-Identifier: MIT
#include "model/find.h"

#include "base/file.h"
#include "base/json.h"
#include "io/folder.h"

#include <stdlib.h>
#include <string.h>

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

// True if model_index.json in `dir` names the part.
static bool names_part(fum_arena *arena, const char *dir, const char *part) {
    char *path = fum_path_join(arena, dir, "model_index.json");
    cJSON *index = NULL;
    if (!path || fum_json_read(&index, path, NULL)) return false;
    bool named = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(index, part));
    cJSON_Delete(index);
    return named;
}

// Returns the diffusers folder that `path` lies in, as its model_index.json, a part's folder, or a
// file there. Else `path`.
static const char *whole_folder(fum_arena *arena, const char *path) {
    const char *last = "", *part = "";
    char *dir = parent_of(arena, path, &last), *above = dir ? parent_of(arena, dir, &part) : NULL;
    if (!above) return path;
    if (fum_path_is_dir(path))
        return !fum_folder_is(path) && names_part(arena, dir, last) ? dir : path;
    if (!strcmp(last, "model_index.json")) return dir;
    return names_part(arena, above, part) ? above : path;
}

const char *fum_model_find_path(fum_arena *arena, const struct fum_model_params *params) {
    const char *path = params && params->path ? params->path : "emoji";
    if (fum_path_may_exist(path) || strchr(path, '/'))
        return fum_arena_strdup(arena, whole_folder(arena, path));
    const char *dirs[] = {params ? params->models_dir : NULL, getenv("FUMAROLE_MODELS"),
                          FUM_MODELS_DIR};
    for (int i = 0; i < 3; i++) {
        if (!dirs[i] || !*dirs[i]) continue;
        char *candidate = fum_path_join(arena, dirs[i], path);
        if (!candidate) return NULL;
        if (fum_path_is_dir(candidate)) return candidate;
    }
    return fum_arena_strdup(arena, path);
}

const char *fum_model_path_name(fum_arena *arena, const char *path) {
    const char *last = NULL;
    return parent_of(arena, path, &last) ? last : NULL;
}
