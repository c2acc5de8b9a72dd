// SPDX-License-Identifier: MIT
// Finds a model by the hash of its files.
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/require.h"
#include "base/sha256.h"
#include "base/text.h"
#include "model/model_hash.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_DIGITS = 10 };

struct search {
    const struct fum_model_params *params;
    const char *hash;
    fum_arena *arena;
    fum_model *found; // NULL: not yet
};

// Opens the model of a path and keeps it if it has the hash.
static void try_path(struct search *s, const char *path) {
    struct fum_model_params params = *s->params;
    struct fum_model_hash *hash = NULL;
    fum_model *model = NULL;
    params.path = path;
    params.log = NULL; // most candidates are other models, or none
    if (s->found || fum_model_open(&model, &params, NULL)) return;
    bool begun = !fum_model_hash_begin(&hash, model, NULL);
    const char *digest = begun ? fum_model_hash_wait(hash, NULL, NULL) : NULL;
    if (digest && !strncmp(digest, s->hash, strlen(s->hash))) s->found = model;
    fum_model_hash_end(&hash);
    if (s->found != model) fum_model_destroy(&model);
}

// True for what may be a model: a folder, or a file of weights.
static bool may_be_model(const char *path) {
    static const char *const endings[] = {".safetensors", ".ckpt", ".pt", ".gguf"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcmp(dot, endings[i])) return true;
    return fum_path_is_dir(path);
}

// Tries all that lies in a folder, which may be NULL or missing.
static void try_folder(struct search *s, const char *dir) {
    struct fum_path_names names = {0};
    if (s->found || !dir || !fum_path_is_dir(dir) || fum_path_list(s->arena, dir, &names, NULL))
        return;
    for (size_t i = 0; i < names.count && !s->found; i++) {
        const char *path = fum_path_join(s->arena, dir, names.names[i]);
        if (path && names.names[i][0] != '.' && may_be_model(path)) try_path(s, path);
    }
}

// Returns the folder that a path lies in.
static const char *folder_of(struct search *s, const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? fum_arena_printf(s->arena, "%.*s", (int)(slash - path), path) : ".";
}

enum fum_result fum_model_open_hash(fum_model **model, const struct fum_model_params *params,
                                    const char *hash, struct fum_error *err) {
    static const struct fum_model_params none = {0};
    *model = NULL;
    if (fum_require(hash, "a hash", err)) return FUM_ERR_ARG;
    size_t digits = strspn(hash, "0123456789abcdef");
    if (hash[digits] || digits < LEAST_DIGITS || digits > FUM_SHA256_TEXT - 1)
        return fum_error_set(err, FUM_ERR_ARG, "a hash has %d to 64 hexadecimal digits, not \"%s\"",
                             LEAST_DIGITS, fum_text_show(hash).text);
    if (!params) params = &none;
    struct search s = {.params = params, .hash = hash, .arena = fum_arena_create()};
    if (!s.arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to find a model");
    try_path(&s, params->path);
    try_folder(&s, params->models_dir);
    try_folder(&s, getenv("FUMAROLE_MODELS"));
    try_folder(&s, folder_of(&s, params->path));
    fum_arena_destroy(&s.arena);
    if (!s.found)
        return fum_error_set(err, FUM_ERR_IO,
                             "no model with the hash %.10s is at %s, in $FUMAROLE_MODELS or beside "
                             "it",
                             hash, params->path ? fum_text_show(params->path).text : "emoji");
    // Again with its log.
    struct fum_model_params opened = *params;
    const char *path = fum_model_get_info(s.found)->path;
    char *copy = fum_strdup(path);
    fum_model_destroy(&s.found);
    opened.path = copy;
    enum fum_result result = copy ? fum_model_open(model, &opened, err)
                                  : fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    fum_free(copy);
    return result;
}
