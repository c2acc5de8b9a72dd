// SPDX-License-Identifier: MIT
// Reads the files that torch.save wrote before version 1.6: five pickles, then the storages.
#include "base/error.h"
#include "io/torch_reader.h"

#include <string.h>

typedef struct fum_pickle_value value;

struct storages {
    struct fum_torch_storage *items;
    size_t count;
};

static enum fum_result find_storage(const struct fum_torch_reader *r, const char *tensor,
                                    const char *key, struct fum_torch_storage *storage) {
    const struct storages *list = r->user;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, key)) continue;
        *storage = list->items[i];
        return FUM_OK;
    }
    return fum_torch_refuse(r, tensor, "its storage is not in the file");
}

// The number that begins every such file, after it the version.
static const char magic_number[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
enum { MAGIC_NUMBER_BYTES = 10, VERSION = 1001 };

static enum fum_result check_begin(const struct fum_torch_reader *r, struct fum_pickle *pickle) {
    const value *magic, *version, *system;
    enum fum_result result = fum_pickle_read(pickle, &magic, r->err);
    if (result) return result;
    if (magic->kind != FUM_PICKLE_TEXT || magic->count != MAGIC_NUMBER_BYTES ||
        memcmp(magic->text, magic_number, MAGIC_NUMBER_BYTES))
        return fum_error_set(r->err, FUM_ERR_UNSUPPORTED,
                             "%s: a Python pickle, but not of torch.save; give a .safetensors file",
                             r->file->path);
    result = fum_pickle_read(pickle, &version, r->err);
    if (result) return result;
    if (version->kind != FUM_PICKLE_INTEGER || version->integer != VERSION)
        return fum_error_set(r->err, FUM_ERR_UNSUPPORTED,
                             "%s: an unknown version of torch.save's old form", r->file->path);
    result = fum_pickle_read(pickle, &system, r->err);
    if (result) return result;
    const value *little = fum_pickle_get(system, "little_endian");
    if (!little || little->kind != FUM_PICKLE_BOOL || !little->integer)
        return fum_error_set(r->err, FUM_ERR_UNSUPPORTED,
                             "%s: its numbers are not in little-endian order", r->file->path);
    return FUM_OK;
}

// Returns the bytes of an element of the storage `key`, which a tensor names; 0: none does.
static size_t find_element_size(const struct fum_pickle *pickle, const char *key) {
    for (size_t i = 0; i < pickle->persistent.count; i++) {
        const char *named = "";
        size_t size = fum_torch_storage_element(pickle->persistent.items[i], &named);
        if (size && !strcmp(named, key)) return size;
    }
    return 0;
}

// Finds where the storages lie: behind the pickles, in the order of `keys`, each with its number of
// elements before it.
static enum fum_result place_storages(const struct fum_torch_reader *r, struct fum_pickle *pickle,
                                      const value *keys) {
    struct storages *list = r->user;
    list->items = fum_arena_alloc(r->arena, keys->count, sizeof *list->items);
    if (keys->count && !list->items)
        return fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for its storages",
                             r->file->path);
    for (size_t i = 0; i < keys->count; i++) {
        uint8_t bytes[8];
        uint64_t count = 0;
        const char *key = keys->items[i]->kind == FUM_PICKLE_TEXT ? keys->items[i]->text : "";
        size_t size = find_element_size(pickle, key);
        if (!size || pickle->end - pickle->at < sizeof bytes)
            return fum_torch_refuse(r, key, "its storage is unknown or cut off");
        enum fum_result result =
            fum_view_read(&r->file->bytes, pickle->at, sizeof bytes, bytes, r->err);
        if (result) return result;
        for (int b = 7; b >= 0; b--) count = count << 8 | bytes[b];
        pickle->at += sizeof bytes;
        if (count > (pickle->end - pickle->at) / size)
            return fum_torch_refuse(r, key, "its storage is cut off; get the file again");
        list->items[list->count++] = (struct fum_torch_storage){key, pickle->at, count * size};
        pickle->at += count * size;
    }
    return FUM_OK;
}

static enum fum_result read_old(struct fum_torch_reader *r) {
    const value *saved = NULL, *keys = NULL;
    struct fum_pickle pickle = {.path = r->file->path,
                                .bytes = &r->file->bytes,
                                .end = fum_view_count(&r->file->bytes),
                                .globals = fum_torch_globals,
                                .arena = r->arena};
    enum fum_result result = check_begin(r, &pickle);
    if (!result) result = fum_pickle_read(&pickle, &saved, r->err);
    if (!result) result = fum_pickle_read(&pickle, &keys, r->err);
    if (!result && keys->kind != FUM_PICKLE_LIST)
        result = fum_error_set(r->err, FUM_ERR_FORMAT, "%s: the list of its storages is missing",
                               r->file->path);
    if (!result) result = place_storages(r, &pickle, keys);
    return result ? result : fum_torch_add_saved(r, saved);
}

static enum fum_result parse_old(struct fum_tensors *tensors, const struct fum_format_file *file,
                                 struct fum_error *err) {
    struct storages storages = {0};
    struct fum_torch_reader r = {
        .tensors = tensors, .file = file, .err = err, .find = find_storage, .user = &storages};
    r.arena = fum_arena_create();
    if (!r.arena) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read it", file->path);
    enum fum_result result = read_old(&r);
    fum_arena_destroy(&r.arena);
    return result;
}

const struct fum_format fum_format_torch_old = {.name = "a PyTorch file (.pth, .ckpt, .bin or .pt)",
                                                .magic = "\x80\x02",
                                                .magic_bytes = 2,
                                                .parse = parse_old};
