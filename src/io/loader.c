// SPDX-License-Identifier: MIT
#include "io/loader.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

struct file {
    char *path;
    struct fum_file *open; // NULL: in memory
    uint64_t bytes;
};

struct pair {
    char *key, *value;
};

struct fum_loader {
    fum_arena *arena;
    char *path;
    struct file *files;
    size_t file_count, file_capacity;
    struct fum_loader_tensor *tensors;
    size_t count, capacity;
    struct pair *metadata;
    size_t metadata_count, metadata_capacity;
};

enum { MAX_SHARDS = 4096 };

static enum fum_result no_memory(const char *path, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the list of its tensors", path);
}

static enum fum_result loader_create(fum_loader **loader, const char *path, struct fum_error *err) {
    fum_loader *l = fum_calloc(1, sizeof *l);
    *loader = l;
    if (!l) return no_memory(path, err);
    l->arena = fum_arena_create();
    if (l->arena) l->path = fum_arena_strdup(l->arena, path);
    return l->path ? FUM_OK : no_memory(path, err);
}

void fum_loader_close(fum_loader **loader) {
    if (!loader || !*loader) return;
    fum_loader *l = *loader;
    for (size_t i = 0; i < l->file_count; i++) fum_file_close(&l->files[i].open);
    fum_free(l->files);
    fum_free(l->tensors);
    fum_free(l->metadata);
    fum_arena_destroy(&l->arena);
    fum_free(l);
    *loader = NULL;
}

enum fum_result fum_loader_add(fum_loader *l, const struct fum_loader_tensor *tensor,
                               struct fum_error *err) {
    char *name = fum_arena_strdup(l->arena, tensor->name),
         *type = fum_arena_strdup(l->arena, tensor->type);
    if (!name || !type ||
        !fum_grow((void **)&l->tensors, &l->capacity, l->count, sizeof *l->tensors))
        return no_memory(l->path, err);
    l->tensors[l->count] = *tensor;
    l->tensors[l->count].type = type;
    l->tensors[l->count++].name = name;
    return FUM_OK;
}

enum fum_result fum_loader_add_metadata(fum_loader *l, const char *key, const char *value,
                                        struct fum_error *err) {
    struct pair pair = {fum_arena_strdup(l->arena, key), fum_arena_strdup(l->arena, value)};
    if (!pair.key || !pair.value ||
        !fum_grow((void **)&l->metadata, &l->metadata_capacity, l->metadata_count,
                  sizeof *l->metadata))
        return no_memory(l->path, err);
    l->metadata[l->metadata_count++] = pair;
    return FUM_OK;
}

// Files of other kinds that people have under the same or a similar name.
static enum fum_result reject_other_formats(const uint8_t *p, uint64_t size, const char *path,
                                            struct fum_error *err) {
    static const struct {
        const char *magic;
        size_t bytes;
        const char *what;
    } others[] = {
        {"PK\x03\x04", 4, "a PyTorch pickle (.ckpt, .bin or .pt)"},
        {"\x80\x02", 2, "a Python pickle"},
        {"\x80\x04", 2, "a Python pickle"},
        {"GGUF", 4, "a GGUF file"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"version https://git-lfs", 23, "a Git LFS pointer, not the file itself"},
        {"<!DOCTYPE", 9, "a web page, not a model"},
        {"<html", 5, "a web page, not a model"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        // The eight bytes of a safetensors header length could begin like a short magic; then '{'
        // follows them.
        if (size < others[i].bytes || memcmp(p, others[i].magic, others[i].bytes)) continue;
        if (others[i].bytes < 8 && size > 8 && p[8] == '{' && p[7] == 0) continue;
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: this is %s; give a .safetensors file",
                             path, others[i].what);
    }
    return FUM_OK;
}

// Reads a file's header. `bytes` is the whole file; one that is open becomes the loader's, also on
// failure.
static enum fum_result read_file(fum_loader *l, const char *path, const struct fum_view *bytes,
                                 struct fum_file *open, struct fum_error *err) {
    uint8_t begin[32];
    uint64_t size = fum_view_count(bytes), shown = size < sizeof begin ? size : sizeof begin;
    char *copy = fum_arena_strdup(l->arena, path);
    if (!copy ||
        !fum_grow((void **)&l->files, &l->file_capacity, l->file_count, sizeof *l->files)) {
        fum_file_close(&open);
        return no_memory(path, err);
    }
    size_t file = l->file_count++;
    l->files[file] = (struct file){copy, open, size};
    enum fum_result result = fum_view_read(bytes, 0, shown, begin, err);
    if (!result) result = reject_other_formats(begin, shown, path, err);
    if (!result) result = fum_safetensors_parse(l, file, bytes, path, err);
    return result;
}

static enum fum_result open_file(fum_loader *l, const char *path, struct fum_error *err) {
    struct fum_file *file = NULL;
    enum fum_result result = fum_file_open(&file, path, err);
    if (result) return result;
    struct fum_view bytes = {
        .dtype = FUM_U8, .rank = 1, .dim = {(int64_t)fum_file_size(file)}, .file = file};
    return read_file(l, path, &bytes, file, err);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct fum_loader_tensor *)a)->name,
                  ((const struct fum_loader_tensor *)b)->name);
}

static enum fum_result sort_tensors(fum_loader *l, struct fum_error *err) {
    if (l->count) qsort(l->tensors, l->count, sizeof *l->tensors, by_name);
    for (size_t i = 1; i < l->count; i++) {
        const struct fum_loader_tensor *a = &l->tensors[i - 1], *b = &l->tensors[i];
        if (strcmp(a->name, b->name)) continue;
        return fum_error_set(
            err, FUM_ERR_FORMAT, "%s: tensor %s is there twice, at byte %llu%s%s and at byte %llu",
            l->files[b->file].path, fum_text_show(a->name).text, (unsigned long long)a->offset,
            a->file == b->file ? "" : " of ", a->file == b->file ? "" : l->files[a->file].path,
            (unsigned long long)b->offset);
    }
    return FUM_OK;
}

// The shard's path beside the index. Its name comes from the file, so it may not lead anywhere
// else.
static enum fum_result shard_path(fum_loader *l, const char *index, const char *name, char **path,
                                  struct fum_error *err) {
    if (!*name || strchr(name, '/') || strchr(name, '\\') || name[0] == '.')
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: names the file \"%s\", which is not a plain file name", index,
                             fum_text_show(name).text);
    const char *slash = strrchr(index, '/');
    *path = fum_arena_printf(l->arena, "%.*s%s", slash ? (int)(slash - index + 1) : 0, index, name);
    return *path ? FUM_OK : no_memory(index, err);
}

// Opens every file that the map names, once each, in the order of first mention.
static enum fum_result open_shards(fum_loader *l, const char *index, const cJSON *map,
                                   struct fum_error *err) {
    for (const cJSON *item = map->child; item; item = item->next) {
        char *path = NULL;
        if (!cJSON_IsString(item))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: weight_map names no file for tensor %s",
                                 index, fum_text_show(item->string).text);
        size_t slash = strrchr(index, '/') ? (size_t)(strrchr(index, '/') - index) + 1 : 0;
        size_t known = 0;
        while (known < l->file_count && strcmp(l->files[known].path + slash, item->valuestring))
            known++;
        if (known < l->file_count) continue;
        if (l->file_count >= MAX_SHARDS)
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: names more than %d files", index,
                                 MAX_SHARDS);
        enum fum_result result = shard_path(l, index, item->valuestring, &path, err);
        if (!result) result = open_file(l, path, err);
        if (result) return result;
    }
    return FUM_OK;
}

static enum fum_result check_map(const fum_loader *l, const char *index, const cJSON *map,
                                 struct fum_error *err) {
    for (const cJSON *item = map->child; item; item = item->next)
        if (!fum_loader_find(l, item->string))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s should be in %s but is not",
                                 index, fum_text_show(item->string).text,
                                 fum_text_show(item->valuestring).text);
    return FUM_OK;
}

static enum fum_result open_index(fum_loader *l, const char *path, struct fum_error *err) {
    cJSON *json = NULL;
    enum fum_result result = fum_json_read(&json, path, err);
    if (result) return result;
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(json, "weight_map");
    if (!cJSON_IsObject(map) || !map->child)
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: has no weight_map", path);
    if (!result) result = open_shards(l, path, map, err);
    if (!result) result = sort_tensors(l, err);
    if (!result) result = check_map(l, path, map, err);
    cJSON_Delete(json);
    return result;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

enum fum_result fum_loader_open(fum_loader **loader, const char *path, struct fum_error *err) {
    enum fum_result result = loader_create(loader, path, err);
    if (!result && ends_with(path, ".json")) {
        result = open_index(*loader, path, err);
    } else if (!result) {
        result = open_file(*loader, path, err);
        if (!result) result = sort_tensors(*loader, err);
    }
    if (result) fum_loader_close(loader);
    return result;
}

enum fum_result fum_loader_open_memory(fum_loader **loader, const void *data, uint64_t bytes,
                                       const char *label, struct fum_error *err) {
    struct fum_view view = {.dtype = FUM_U8, .rank = 1, .dim = {(int64_t)bytes}, .data = data};
    enum fum_result result = loader_create(loader, label, err);
    if (!result) result = read_file(*loader, label, &view, NULL, err);
    if (!result) result = sort_tensors(*loader, err);
    if (result) fum_loader_close(loader);
    return result;
}

size_t fum_loader_count(const fum_loader *l) {
    return l->count;
}

const struct fum_loader_tensor *fum_loader_at(const fum_loader *l, size_t index) {
    return &l->tensors[index];
}

// The first tensor whose name is not before `name` when the first `length` bytes are compared.
static size_t lower_bound(const fum_loader *l, const char *name, size_t length) {
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strncmp(l->tensors[mid].name, name, length) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct fum_loader_tensor *fum_loader_find(const fum_loader *l, const char *name) {
    size_t i = lower_bound(l, name, strlen(name) + 1);
    return i < l->count && !strcmp(l->tensors[i].name, name) ? &l->tensors[i] : NULL;
}

size_t fum_loader_count_prefix(const fum_loader *l, const char *prefix, size_t *first) {
    size_t length = strlen(prefix), begin = lower_bound(l, prefix, length), end = begin;
    while (end < l->count && !strncmp(l->tensors[end].name, prefix, length)) end++;
    if (first) *first = begin;
    return end - begin;
}

size_t fum_loader_index(const fum_loader *l, const struct fum_loader_tensor *tensor) {
    return (size_t)(tensor - l->tensors);
}

const char *fum_loader_path(const fum_loader *l) {
    return l->path;
}

size_t fum_loader_file_count(const fum_loader *l) {
    return l->file_count;
}

const char *fum_loader_file(const fum_loader *l, size_t file) {
    return l->files[file].path;
}

const struct fum_file *fum_loader_open_file(const fum_loader *l, size_t file) {
    return l->files[file].open;
}

uint64_t fum_loader_file_bytes(const fum_loader *l) {
    uint64_t sum = 0;
    for (size_t i = 0; i < l->file_count; i++) sum += l->files[i].bytes;
    return sum;
}

const char *fum_loader_metadata(const fum_loader *l, const char *key) {
    for (size_t i = 0; i < l->metadata_count; i++)
        if (!strcmp(l->metadata[i].key, key)) return l->metadata[i].value;
    return NULL;
}

size_t fum_loader_metadata_count(const fum_loader *l) {
    return l->metadata_count;
}

void fum_loader_metadata_at(const fum_loader *l, size_t index, const char **key,
                            const char **value) {
    *key = l->metadata[index].key;
    *value = l->metadata[index].value;
}
