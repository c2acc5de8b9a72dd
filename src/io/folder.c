// SPDX-License-Identifier: MIT
#include "io/folder.h"

#include "base/error.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

enum { MAX_COMPONENTS = 64 };

struct fum_folder {
    fum_arena *arena;
    char *path;
    cJSON *index, *settings;
    struct fum_folder_component components[MAX_COMPONENTS];
    cJSON *configs[MAX_COMPONENTS];
    size_t count;
};

static enum fum_result no_memory(const char *path, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read the model's folder", path);
}

// Allocates nothing: a folder must not seem another kind because memory is out.
bool fum_folder_is(const char *path) {
    enum { LONGEST = 4096 }; // that systems open
    char index[LONGEST];
    int length = snprintf(index, sizeof index, "%s/model_index.json", path);
    return length > 0 && length < LONGEST && fum_path_may_exist(index);
}

// Looks for "dir/stem.variant.ending" and the index of its shards, as diffusers and transformers
// write them.
static enum fum_result try_name(fum_arena *arena, const char *file, const char *ending,
                                const char *variant, const char **weights) {
    const char *dot = variant ? "." : "";
    if (!variant) variant = "";
    const char *const names[] = {
        fum_arena_printf(arena, "%s%s%s.%s", file, dot, variant, ending),
        fum_arena_printf(arena, "%s.%s.index%s%s.json", file, ending, dot, variant),
        fum_arena_printf(arena, "%s%s%s.%s.index.json", file, dot, variant, ending),
    };
    for (size_t j = 0; j < FUM_COUNT(names) && !*weights; j++) {
        if (!names[j]) return FUM_ERR_NOMEM;
        if (fum_path_may_exist(names[j])) *weights = names[j];
    }
    return FUM_OK;
}

// What components' files are called. Pickles, in whatever variant, are read if a component has no
// safetensors file, as in diffusers.
static const struct {
    const char *stem, *ending;
} weight_names[] = {{"diffusion_pytorch_model", "safetensors"},
                    {"model", "safetensors"},
                    {"diffusion_pytorch_model", "bin"},
                    {"pytorch_model", "bin"}};
enum { SAFE_NAMES = 2 }; // of them

enum fum_result fum_folder_find_weights(fum_arena *arena, const char *dir, const char *variant,
                                        const char **weights, struct fum_error *err) {
    const char *const order[] = {variant, NULL, "fp16", "bf16"};
    const size_t ranges[][2] = {{0, SAFE_NAMES}, {SAFE_NAMES, FUM_COUNT(weight_names)}};
    *weights = NULL;
    for (size_t r = 0; r < FUM_COUNT(ranges); r++)
        for (size_t i = variant ? 0 : 1; i < FUM_COUNT(order) && !*weights; i++)
            for (size_t j = ranges[r][0]; j < ranges[r][1] && !*weights; j++) {
                const char *file = fum_path_join(arena, dir, weight_names[j].stem);
                if (!file || try_name(arena, file, weight_names[j].ending, order[i], weights))
                    return no_memory(dir, err);
            }
    if (*weights) return FUM_OK;
    return fum_error_set(err, FUM_ERR_IO,
                         "%s: has no weights (diffusion_pytorch_model.safetensors or "
                         "model.safetensors); get the model again, whole",
                         dir);
}

// Components without which there is no picture; the others (safety checker, …) may be missing.
static bool is_needed(const char *name) {
    static const char *const needed[] = {"unet",         "transformer", "vae",      "vqvae",
                                         "text_encoder", "tokenizer",   "scheduler"};
    for (size_t i = 0; i < FUM_COUNT(needed); i++) {
        size_t n = strlen(needed[i]);
        if (!strncmp(name, needed[i], n) && (!name[n] || name[n] == '_')) return true;
    }
    return false;
}

static bool starts_with(const char *text, const char *start) {
    return !strncmp(text, start, strlen(start));
}

static bool is_scheduler(const char *name) {
    return starts_with(name, "scheduler") || !strcmp(name, "low_res_scheduler");
}

static enum fum_result read_component(fum_folder *f, struct fum_folder_component *component,
                                      cJSON **config, const char *variant, struct fum_error *err) {
    bool scheduler = is_scheduler(component->name),
         tokenizer = starts_with(component->name, "tokenizer");
    component->dir = fum_path_join(f->arena, f->path, component->name);
    if (!component->dir) return no_memory(f->path, err);
    if (!fum_path_may_exist(component->dir)) {
        if (!is_needed(component->name)) return FUM_OK;
        return fum_error_set(
            err, FUM_ERR_IO,
            "%s: model_index.json names the component %s (%s), but its folder %s is missing",
            f->path, component->name, component->class_name, component->dir);
    }
    if (tokenizer) return FUM_OK;
    char *path = fum_path_join(f->arena, component->dir,
                               scheduler ? "scheduler_config.json" : "config.json");
    if (!path) return no_memory(f->path, err);
    if (fum_path_may_exist(path)) {
        enum fum_result result = fum_json_read(config, path, err);
        if (result) return result;
        component->config = *config;
        if (!cJSON_IsObject(*config))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: not a JSON object", path);
    } else if (is_needed(component->name)) {
        return fum_error_set(err, FUM_ERR_IO, "%s: the component %s has no %s", f->path,
                             component->name, path);
    }
    if (scheduler) return FUM_OK;
    // Weights of a component that is not needed are taken when they are there.
    return fum_folder_find_weights(f->arena, component->dir, variant, &component->weights,
                                   is_needed(component->name) ? err : NULL);
}

// Entries such as "vae": ["diffusers", "AutoencoderKL"]; the name becomes a path, so it must be a
// plain one.
static enum fum_result read_components(fum_folder *f, const char *variant, struct fum_error *err) {
    for (const cJSON *item = f->index->child; item; item = item->next) {
        const cJSON *library = cJSON_IsArray(item) ? item->child : NULL,
                    *name = library ? library->next : NULL;
        if (!cJSON_IsString(library) || !cJSON_IsString(name) || name->next) continue;
        if (!item->string[0] || strpbrk(item->string, "/\\") || item->string[0] == '.')
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: model_index.json names a component that is not a plain name",
                                 f->path);
        if (f->count == MAX_COMPONENTS)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: model_index.json names more than %d components", f->path,
                                 MAX_COMPONENTS);
        struct fum_folder_component *component = &f->components[f->count];
        *component = (struct fum_folder_component){
            .name = item->string, .library = library->valuestring, .class_name = name->valuestring};
        enum fum_result result =
            read_component(f, component, &f->configs[f->count++], variant, err);
        if (result == FUM_ERR_NOMEM) return no_memory(f->path, err);
        if (result && is_needed(component->name)) return result;
    }
    return FUM_OK;
}

static enum fum_result read_json(fum_folder *f, const char *name, bool needed, cJSON **json,
                                 struct fum_error *err) {
    char *path = fum_path_join(f->arena, f->path, name);
    if (!path) return no_memory(f->path, err);
    if (!fum_path_may_exist(path)) {
        if (!needed) return FUM_OK;
        return fum_error_set(err, FUM_ERR_IO, "%s: no %s, so this is not a diffusers model folder",
                             f->path, name);
    }
    enum fum_result result = fum_json_read(json, path, err);
    if (!result && !cJSON_IsObject(*json))
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: not a JSON object", path);
    return result;
}

enum fum_result fum_folder_open(fum_folder **folder, const char *path, const char *variant,
                                struct fum_error *err) {
    fum_folder *f = fum_calloc(1, sizeof *f);
    *folder = f;
    if (!f) return no_memory(path, err);
    enum fum_result result = FUM_OK;
    f->arena = fum_arena_create();
    f->path = f->arena ? fum_arena_strdup(f->arena, path) : NULL;
    if (!f->path)
        result = no_memory(path, err);
    else if (!fum_path_may_exist(path))
        result = fum_error_set(err, FUM_ERR_IO, "%s: no such folder", path);
    if (!result) result = read_json(f, "model_index.json", true, &f->index, err);
    if (!result) result = read_json(f, "fumarole.json", false, &f->settings, err);
    if (!result) result = read_components(f, variant, err);
    if (result) fum_folder_close(folder);
    return result;
}

void fum_folder_close(fum_folder **folder) {
    if (!folder || !*folder) return;
    fum_folder *f = *folder;
    for (size_t i = 0; i < f->count; i++) cJSON_Delete(f->configs[i]);
    cJSON_Delete(f->index);
    cJSON_Delete(f->settings);
    fum_arena_destroy(&f->arena);
    fum_free(f);
    *folder = NULL;
}

const char *fum_folder_class(const fum_folder *f) {
    return fum_json_string(f->index, "_class_name", "");
}

const cJSON *fum_folder_index(const fum_folder *f) {
    return f->index;
}

const cJSON *fum_folder_settings(const fum_folder *f) {
    return f->settings;
}

size_t fum_folder_component_count(const fum_folder *f) {
    return f->count;
}

const struct fum_folder_component *fum_folder_component_at(const fum_folder *f, size_t index) {
    return &f->components[index];
}

const struct fum_folder_component *fum_folder_component(const fum_folder *f, const char *name) {
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->components[i].name, name)) return &f->components[i];
    return NULL;
}

const struct fum_folder_component *fum_folder_require(const fum_folder *f, const char *name,
                                                      struct fum_error *err) {
    const struct fum_folder_component *component = fum_folder_component(f, name);
    if (!component)
        fum_error_set(err, FUM_ERR_FORMAT,
                      "%s: model_index.json names no %s, which this model needs", f->path, name);
    return component;
}
