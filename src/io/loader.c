// SPDX-License-Identifier: MIT
#include "io/loader.h"

#include "base/error.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/require.h"
#include "base/text.h"
#include "io/averages.h"
#include "io/format.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/torch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct file {
    char *path;
    struct fum_file *open; // NULL: in memory
};

struct fum_loader {
    fum_arena *arena;
    char *path;
    struct file *files;
    size_t file_count, file_capacity;
    struct fum_tensors tensors;
};

enum { MAX_SHARDS = 4096 };

static enum fum_result no_memory(const char *path, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the list of its tensors", path);
}

static enum fum_result loader_create(fum_loader **loader, const char *path, struct fum_error *err) {
    *loader = NULL;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    fum_loader *l = *loader = fum_calloc(1, sizeof *l);
    if (!l) return no_memory(path, err);
    l->arena = fum_arena_create();
    l->tensors.arena = l->arena;
    if (l->arena) l->path = fum_arena_strdup(l->arena, path);
    return l->path ? FUM_OK : no_memory(path, err);
}

void fum_loader_close(fum_loader **loader) {
    if (!loader || !*loader) return;
    fum_loader *l = *loader;
    for (size_t i = 0; i < l->file_count; i++) fum_file_close(&l->files[i].open);
    fum_free(l->files);
    fum_tensors_free(&l->tensors);
    fum_arena_destroy(&l->arena);
    fum_free(l);
    *loader = NULL;
}

// The formats in the order in which they are tried. Those without a parser are recognised because
// people have such files under the same or a similar name.
static const struct fum_format *const formats[] = {
    &fum_format_safetensors,
    &fum_format_torch,
    &fum_format_torch_old,
    &fum_format_gguf,
    &(const struct fum_format){"an HDF5 file", "\x89HDF", 4, NULL, NULL},
    &(const struct fum_format){"a Git LFS pointer, not the file itself", "version https://git-lfs",
                               23, NULL, NULL},
    &(const struct fum_format){"a web page, not a model", "<!DOCTYPE", 9, NULL, NULL},
    &(const struct fum_format){"a web page, not a model", "<html", 5, NULL, NULL},
};

static bool matches(const struct fum_format *format, const uint8_t *begin, size_t bytes) {
    if (format->probe) return format->probe(begin, bytes);
    return bytes >= format->magic_bytes && !memcmp(begin, format->magic, format->magic_bytes);
}

// True if the file's name says that it is a pickle, which old ones themselves do not show.
static bool named_as_pickle(const char *path) {
    static const char *const endings[] = {".ckpt", ".pt", ".pth", ".bin", ".pkl"};
    for (size_t i = 0; i < FUM_COUNT(endings); i++)
        if (fum_text_ends_with(path, endings[i])) return true;
    return false;
}

// Returns the format of a file. Without a match its name decides, and a reader says what is wrong.
static const struct fum_format *find_format(const uint8_t *begin, size_t bytes, const char *path) {
    for (size_t i = 0; i < FUM_COUNT(formats); i++)
        if (matches(formats[i], begin, bytes)) return formats[i];
    return named_as_pickle(path) ? &fum_format_torch_old : &fum_format_safetensors;
}

static enum fum_result parse_file(fum_loader *l, const struct fum_format_file *file,
                                  struct fum_error *err) {
    uint8_t begin[FUM_FORMAT_PROBE_BYTES];
    uint64_t size = fum_view_count(&file->bytes);
    size_t shown = size < sizeof begin ? (size_t)size : sizeof begin;
    enum fum_result result = fum_view_read(&file->bytes, 0, shown, begin, err);
    if (result) return result;
    const struct fum_format *format = find_format(begin, shown, file->path);
    if (format->parse) return format->parse(&l->tensors, file, err);
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: this is %s; give a .safetensors file",
                         file->path, format->name);
}

// Reads a file's header. `bytes` is the whole file; one that is open becomes the loader's, also on
// failure.
static enum fum_result read_file(fum_loader *l, const char *path, const struct fum_view *bytes,
                                 struct fum_file *open, struct fum_error *err) {
    char *copy = fum_arena_strdup(l->arena, path);
    if (!copy ||
        !fum_grow((void **)&l->files, &l->file_capacity, l->file_count, sizeof *l->files)) {
        fum_file_close(&open);
        return no_memory(path, err);
    }
    struct fum_format_file file = {.path = path, .index = l->file_count++, .bytes = *bytes};
    l->files[file.index] = (struct file){copy, open};
    return parse_file(l, &file, err);
}

static enum fum_result open_file(fum_loader *l, const char *path, struct fum_error *err) {
    struct fum_file *file = NULL;
    enum fum_result result = fum_file_open(&file, path, err);
    if (result) return result;
    struct fum_view bytes = {
        .dtype = FUM_U8, .rank = 1, .dim = {(int64_t)fum_file_size(file)}, .file = file};
    return read_file(l, path, &bytes, file, err);
}

static enum fum_result sort_tensors(fum_loader *l, struct fum_error *err) {
    if (!fum_averages_rename(&l->tensors)) return no_memory(l->path, err);
    const struct fum_loader_tensor *a = fum_tensors_sort(&l->tensors);
    if (!a) return FUM_OK;
    const struct fum_loader_tensor *b = a + 1;
    bool same_file = a->file == b->file;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: tensor %s is there twice, at byte %llu%s%s and at byte %llu",
                         l->files[b->file].path, fum_text_show(a->name).text,
                         (unsigned long long)a->offset, same_file ? "" : " of ",
                         same_file ? "" : l->files[a->file].path, (unsigned long long)b->offset);
}

// Finds the shard's path beside the index. Its name comes from the file, so it must not lead
// anywhere else.
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

enum fum_result fum_loader_open(fum_loader **loader, const char *path, struct fum_error *err) {
    enum fum_result result = loader_create(loader, path, err);
    if (!result && fum_text_ends_with(path, ".json")) {
        result = open_index(*loader, path, err);
    } else if (!result) {
        result = open_file(*loader, path, err);
        if (!result) result = sort_tensors(*loader, err);
    }
    if (result) fum_loader_close(loader);
    return result;
}

// Adds a file whose tensors get a prefix.
static enum fum_result open_part(fum_loader *l, const struct fum_loader_part *part,
                                 struct fum_error *err) {
    size_t first = l->tensors.count;
    enum fum_result result = open_file(l, part->path, err);
    for (size_t i = first; i < l->tensors.count && !result; i++) {
        struct fum_loader_tensor *t = &l->tensors.items[i];
        t->name = fum_arena_printf(l->arena, "%s%s", part->prefix, t->name);
        if (!t->name) result = no_memory(part->path, err);
    }
    return result;
}

enum fum_result fum_loader_open_joined(fum_loader **loader, const struct fum_loader_part *parts,
                                       size_t count, struct fum_error *err) {
    enum fum_result result = loader_create(loader, parts[0].path, err);
    for (size_t i = 0; i < count && !result; i++) result = open_part(*loader, &parts[i], err);
    if (!result) result = sort_tensors(*loader, err);
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
    return l->tensors.count;
}

const struct fum_loader_tensor *fum_loader_at(const fum_loader *l, size_t index) {
    return &l->tensors.items[index];
}

const struct fum_loader_tensor *fum_loader_find(const fum_loader *l, const char *name) {
    const struct fum_tensors *t = &l->tensors;
    size_t i = fum_tensors_lower_bound(t, name, strlen(name) + 1);
    return i < t->count && !strcmp(t->items[i].name, name) ? &t->items[i] : NULL;
}

size_t fum_loader_count_prefix(const fum_loader *l, const char *prefix, size_t *first) {
    const struct fum_tensors *t = &l->tensors;
    size_t length = strlen(prefix), begin = fum_tensors_lower_bound(t, prefix, length), end = begin;
    while (end < t->count && !strncmp(t->items[end].name, prefix, length)) end++;
    if (first) *first = begin;
    return end - begin;
}

enum { LONGEST_NAME = 512 };

// Writes prefix + printf(fmt), cut off at the end if it is longer. The prefix is not.
static void write_name(char name[LONGEST_NAME], const char *prefix, const char *fmt, va_list args) {
    int n = snprintf(name, LONGEST_NAME, "%s", prefix);
    vsnprintf(name + n, LONGEST_NAME - (size_t)n, fmt, args);
}

int fum_loader_dim(const fum_loader *l, const char *prefix, int axis, const char *fmt, ...) {
    char name[LONGEST_NAME];
    va_list args;
    va_start(args, fmt);
    write_name(name, prefix, fmt, args);
    va_end(args);
    const struct fum_loader_tensor *t = fum_loader_find(l, name);
    return t && axis < t->view.rank && t->view.dim[axis] <= 1000000 ? (int)t->view.dim[axis] : 0;
}

int fum_loader_need(const fum_loader *l, const char *prefix, int axis, const char *name,
                    struct fum_error *err) {
    int dim = fum_loader_dim(l, prefix, axis, "%s", name);
    if (!dim)
        fum_error_set(err, FUM_ERR_FORMAT,
                      "%s: tensor %s%s is missing or has no usable shape; get the file again",
                      fum_loader_path(l), prefix, name);
    return dim;
}

bool fum_loader_has(const fum_loader *l, const char *prefix, const char *fmt, ...) {
    char name[LONGEST_NAME];
    va_list args;
    va_start(args, fmt);
    write_name(name, prefix, fmt, args);
    va_end(args);
    return fum_loader_count_prefix(l, name, NULL) > 0;
}

size_t fum_loader_index(const fum_loader *l, const struct fum_loader_tensor *tensor) {
    return (size_t)(tensor - l->tensors.items);
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

const char *fum_loader_text(const fum_loader *l, size_t index, const char **key) {
    if (index >= l->tensors.text_count) return NULL;
    *key = l->tensors.texts[index].key;
    return l->tensors.texts[index].value;
}

const char *fum_loader_metadata(const fum_loader *l, const char *key) {
    const struct fum_tensors *t = &l->tensors;
    for (size_t i = 0; i < t->text_count; i++)
        if (!strcmp(t->texts[i].key, key)) return t->texts[i].value;
    return NULL;
}
