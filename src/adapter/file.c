// SPDX-License-Identifier: MIT
#include "adapter/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"

static enum fum_result no_memory(const char *name, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for an adapter's tensors", name);
}

// ---- the path ----

static bool is_file(const char *path) {
    return fum_path_may_exist(path) && !fum_path_is_dir(path);
}

// Returns the first of the path with each ending that exists, or NULL.
static const char *try_endings(fum_arena *arena, const char *path) {
    static const char *const endings[] = {"", ".safetensors", ".pt", ".pth", ".bin", ".ckpt"};
    for (size_t i = 0; i < FUM_COUNT(endings) && path; i++) {
        const char *full = fum_arena_printf(arena, "%s%s", path, endings[i]);
        if (full && is_file(full)) return full;
    }
    return NULL;
}

// Returns the file that a path leads to: itself, or the weights in a folder that PEFT saved.
static const char *resolve(fum_arena *arena, const char *path) {
    static const char *const weights[] = {"adapter_model.safetensors", "adapter_model.bin"};
    if (!path || !fum_path_is_dir(path)) return try_endings(arena, path);
    for (size_t i = 0; i < FUM_COUNT(weights); i++) {
        const char *full = fum_path_join(arena, path, weights[i]);
        if (full && is_file(full)) return full;
    }
    return NULL;
}

enum { MAX_DEPTH = 8 }; // of folders below that of adapters

// Finds a name in a folder, else in the folders below, in the order of their names. NULL: it is not
// there, or a folder cannot be read.
static const char *find_below(fum_arena *arena, const char *dir, const char *name, int depth) {
    const char *path = resolve(arena, fum_path_join(arena, dir, name));
    struct fum_path_names names = {0};
    if (path || depth == MAX_DEPTH || fum_path_list(arena, dir, &names, NULL)) return path;
    for (size_t i = 0; i < names.count && !path; i++) {
        const char *below =
            names.names[i][0] == '.' ? NULL : fum_path_join(arena, dir, names.names[i]);
        if (below && fum_path_is_dir(below)) path = find_below(arena, below, name, depth + 1);
    }
    return path;
}

static const char *find_file(fum_arena *arena, const char *dir, const char *name) {
    const char *path = dir ? find_below(arena, dir, name, 0) : NULL;
    return path ? path : resolve(arena, name);
}

// ---- PEFT's settings ----

enum { MAX_SETTINGS_BYTES = 4 << 20 };

// Reads adapter_config.json beside the weights that PEFT saved. *settings stays NULL without one.
static enum fum_result read_settings(cJSON **settings, fum_arena *arena, const char *path,
                                     struct fum_error *err) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char *text = NULL;
    if (strncmp(base, "adapter_model.", strlen("adapter_model."))) return FUM_OK;
    const char *beside =
        fum_arena_printf(arena, "%.*sadapter_config.json", (int)(base - path), path);
    if (!beside) return no_memory(path, err);
    if (!is_file(beside)) return FUM_OK;
    enum fum_result result = fum_file_read(beside, MAX_SETTINGS_BYTES, &text, NULL, err);
    if (!result && !(*settings = cJSON_Parse(text)))
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: is not JSON", beside);
    fum_free(text);
    return result;
}

// ---- the tensors ----

// A tensor with the module that it belongs to.
struct entry {
    const char *module;
    const struct fum_loader_tensor *tensor;
    enum fum_adapter_role role;
    int stem;
};

static int compare(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    int order = strcmp(x->module, y->module);
    return order ? order : strcmp(x->tensor->name, y->tensor->name);
}

// Lists the tensors by module. *known: some are an adapter's. Returns false without memory.
static bool list_entries(const fum_loader *loader, fum_arena *arena, struct entry *list,
                         bool *known) {
    struct fum_adapter_key key;
    size_t count = fum_loader_count(loader);
    *known = false;
    for (size_t i = 0; i < count; i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        struct entry *e = &list[i];
        *e = (struct entry){t->name, t, FUM_ADAPTER_ROLES, (int)strcspn(t->name, ".")};
        if (!fum_adapter_key_parse(&key, t->name)) continue; // a module that matches nothing
        *e = (struct entry){fum_arena_strdup(arena, key.module), t, key.role, (int)key.stem};
        if (!e->module) return false;
        *known = *known || fum_adapter_role_tells(key.role);
    }
    if (!count) return true;
    qsort(list, count, sizeof *list, compare);
    return true;
}

static void add_to_groups(struct fum_adapter_file *file, const struct entry *e) {
    struct fum_adapter_group *last = file->count ? &file->groups[file->count - 1] : NULL;
    if (!last || strcmp(last->module, e->module)) {
        last = &file->groups[file->count++];
        *last = (struct fum_adapter_group){
            .module = e->module, .stem = e->stem, .first_name = e->tensor->name};
    }
    if (e->role != FUM_ADAPTER_ROLES) last->tensors[e->role] = e->tensor;
}

enum fum_result fum_adapter_file_group(struct fum_adapter_file *file, fum_arena *arena,
                                       struct fum_error *err) {
    size_t tensors = fum_loader_count(file->loader);
    bool known = false;
    const char *path = fum_loader_path(file->loader);
    struct entry *list = fum_alloc(tensors + 1, sizeof *list);
    file->groups = fum_arena_alloc(arena, tensors + 1, sizeof *file->groups);
    enum fum_result result = FUM_OK;
    if (!list || !file->groups || !list_entries(file->loader, arena, list, &known))
        result = no_memory(path, err);
    for (size_t i = 0; i < tensors && !result; i++) add_to_groups(file, &list[i]);
    if (!result && !known)
        result = fum_error_set(
            err, FUM_ERR_FORMAT, "%s: holds no adapter: %s is not a name that one has", path,
            tensors ? fum_text_show(fum_loader_at(file->loader, 0)->name).text : "nothing");
    fum_free(list);
    return result;
}

enum fum_result fum_adapter_file_open(struct fum_adapter_file *file, fum_arena *arena,
                                      const char *dir, const char *name, struct fum_error *err) {
    *file = (struct fum_adapter_file){0};
    const char *path = find_file(arena, dir, name);
    if (!path)
        return fum_error_set(err, FUM_ERR_IO,
                             dir ? "%s: no such adapter, with or without .safetensors, here or in "
                                   "the folder %s"
                                 : "%s: no such adapter, with or without .safetensors",
                             fum_text_show(name).text, dir ? fum_text_show(dir).text : "");
    enum fum_result result = fum_loader_open(&file->loader, path, err);
    const char *text = result ? NULL : fum_loader_metadata(file->loader, "lora_adapter_metadata");
    if (text) file->metadata = cJSON_Parse(text);
    if (!result && !file->metadata) result = read_settings(&file->metadata, arena, path, err);
    return result ? result : fum_adapter_file_group(file, arena, err);
}

void fum_adapter_file_close(struct fum_adapter_file *file) {
    cJSON_Delete(file->metadata);
    file->metadata = NULL;
    fum_loader_close(&file->loader);
}
