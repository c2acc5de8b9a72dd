// SPDX-License-Identifier: MIT
// Reads the files that torch.save wrote before version 1.6: five pickles, then the storages.
#include "base/error.h"
#include "io/torch_reader.h"

#include <stdlib.h>
#include <string.h>

typedef struct fum_pickle_value value;

struct storages {
    struct fum_torch_storage *items;
    size_t count;
};

static int compare_storages(const void *a, const void *b) {
    const struct fum_torch_storage *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static const struct fum_torch_storage *find_key(const struct storages *list, const char *key) {
    const struct fum_torch_storage wanted = {.key = key};
    if (!list->count) return NULL;
    return bsearch(&wanted, list->items, list->count, sizeof wanted, compare_storages);
}

static void sort_storages(struct storages *list) {
    if (list->count) qsort(list->items, list->count, sizeof *list->items, compare_storages);
}

static enum fum_result find_storage(const struct fum_torch_reader *r, const char *tensor,
                                    const char *key, struct fum_torch_storage *storage) {
    const struct fum_torch_storage *found = find_key(r->user, key);
    if (!found) return fum_torch_refuse(r, tensor, "its storage is not in the file");
    *storage = *found;
    return FUM_OK;
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

static enum fum_result create_storages(const struct fum_torch_reader *r, struct storages *list,
                                       size_t count) {
    list->items = fum_arena_alloc(r->arena, count + 1, sizeof *list->items);
    list->count = 0;
    return list->items ? FUM_OK
                       : fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for its storages",
                                       r->file->path);
}

// Lists the storages that tensors name, with the bytes of an element of each.
static enum fum_result list_named(const struct fum_torch_reader *r, const struct fum_pickle *pickle,
                                  struct storages *named) {
    enum fum_result result = create_storages(r, named, pickle->persistent.count);
    for (size_t i = 0; i < pickle->persistent.count && !result; i++) {
        const char *key = "";
        size_t size = fum_torch_storage_element(pickle->persistent.items[i], &key);
        if (size) named->items[named->count++] = (struct fum_torch_storage){key, 0, size};
    }
    if (!result) sort_storages(named);
    return result;
}

// Finds where the storages lie: behind the pickles, in the order of `keys`, each with its number of
// elements before it.
static enum fum_result place_storages(const struct fum_torch_reader *r, struct fum_pickle *pickle,
                                      const value *keys) {
    struct storages *list = r->user, named;
    enum fum_result result = list_named(r, pickle, &named);
    if (!result) result = create_storages(r, list, keys->count);
    for (size_t i = 0; i < keys->count && !result; i++) {
        uint8_t bytes[8];
        uint64_t count = 0;
        const char *key = keys->items[i]->kind == FUM_PICKLE_TEXT ? keys->items[i]->text : "";
        const struct fum_torch_storage *known = find_key(&named, key);
        if (!known || pickle->end - pickle->at < sizeof bytes)
            return fum_torch_refuse(r, key, "its storage is unknown or cut off");
        result = fum_view_read(&r->file->bytes, pickle->at, sizeof bytes, bytes, r->err);
        if (result) return result;
        for (int b = 7; b >= 0; b--) count = count << 8 | bytes[b];
        pickle->at += sizeof bytes;
        if (count > (pickle->end - pickle->at) / known->bytes)
            return fum_torch_refuse(r, key, "its storage is cut off; get the file again");
        list->items[list->count++] =
            (struct fum_torch_storage){key, pickle->at, count * known->bytes};
        pickle->at += count * known->bytes;
    }
    if (!result) sort_storages(list);
    return result;
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
    uint64_t pickle_bytes = pickle.at;
    if (!result) result = place_storages(r, &pickle, keys);
    return result ? result : fum_torch_add_saved(r, saved, pickle_bytes);
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

// True if a pickle begins so: the operation PROTO and a protocol from 2 to 5. Older ones have no
// such beginning; the loader takes them for pickles by the file's name.
static bool probe(const uint8_t *begin, size_t bytes) {
    return bytes >= 2 && begin[0] == 0x80 && begin[1] >= 1 && begin[1] <= 5;
}

const struct fum_format fum_format_torch_old = {
    .name = "a PyTorch file (.pth, .ckpt, .bin or .pt)", .probe = probe, .parse = parse_old};
