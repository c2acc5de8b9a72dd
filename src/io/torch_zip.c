// SPDX-License-Identifier: MIT
// Reads the zip archives that torch.save writes since version 1.6.
#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/torch_reader.h"
#include "io/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fum_pickle_value value;

struct archive {
    struct fum_zip zip;
    const struct fum_zip_entry **by_name; // the entries, sorted
    const char *prefix;                   // of all names in it
};

static int compare_entries(const void *a, const void *b) {
    const struct fum_zip_entry *x = *(const struct fum_zip_entry *const *)a,
                               *y = *(const struct fum_zip_entry *const *)b;
    return strcmp(x->name, y->name);
}

static enum fum_result sort_entries(const struct fum_torch_reader *r) {
    struct archive *archive = r->user;
    size_t count = archive->zip.count;
    archive->by_name = fum_arena_alloc(r->arena, count + 1, sizeof *archive->by_name);
    if (!archive->by_name)
        return fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for its names", r->file->path);
    for (size_t i = 0; i < count; i++) archive->by_name[i] = &archive->zip.entries[i];
    qsort(archive->by_name, count, sizeof *archive->by_name, compare_entries);
    return FUM_OK;
}

static const struct fum_zip_entry *find_entry(const struct archive *archive, const char *name) {
    const struct fum_zip_entry wanted = {.name = name}, *key = &wanted;
    const struct fum_zip_entry **found = bsearch(&key, archive->by_name, archive->zip.count,
                                                 sizeof *archive->by_name, compare_entries);
    return found ? *found : NULL;
}

static enum fum_result find_in_zip(const struct fum_torch_reader *r, const char *tensor,
                                   const char *key, struct fum_torch_storage *storage) {
    const struct archive *archive = r->user;
    char path[600];
    snprintf(path, sizeof path, "%sdata/%s", archive->prefix, key);
    const struct fum_zip_entry *entry = find_entry(archive, path);
    if (!entry) return fum_torch_refuse(r, tensor, "its storage is not in the archive");
    if (entry->method != FUM_ZIP_STORED)
        return fum_torch_refuse(r, tensor, "its storage is compressed; torch.save stores it");
    *storage = (struct fum_torch_storage){key, entry->offset, entry->bytes};
    return FUM_OK;
}

// Finds the pickle, "NAME/data.pkl", whose folder all names begin with.
static const struct fum_zip_entry *find_pickle(const struct fum_torch_reader *r) {
    struct archive *archive = r->user;
    static const char pickle_name[] = "data.pkl";
    for (size_t i = 0; i < archive->zip.count; i++) {
        const char *name = archive->zip.entries[i].name;
        if (strcmp(name, pickle_name) && !fum_text_ends_with(name, "/data.pkl")) continue;
        archive->prefix =
            fum_arena_printf(r->arena, "%.*s", (int)(strlen(name) - strlen(pickle_name)), name);
        return &archive->zip.entries[i];
    }
    return NULL;
}

static enum fum_result check_order(const struct fum_torch_reader *r) {
    const struct archive *archive = r->user;
    char name[600];
    uint8_t *order = NULL;
    snprintf(name, sizeof name, "%sbyteorder", archive->prefix);
    const struct fum_zip_entry *entry = find_entry(archive, name);
    if (!entry) return FUM_OK; // before version 2.1
    enum fum_result result = fum_zip_read(&archive->zip, entry, 64, &order, r->err);
    if (!result && (entry->bytes != 6 || memcmp(order, "little", 6)))
        result = fum_error_set(r->err, FUM_ERR_UNSUPPORTED,
                               "%s: its numbers are not in little-endian order", r->file->path);
    fum_free(order);
    return result;
}

// Returns how large a pickle may be. torch.save stores it; an archive that was packed again may
// have compressed it, but not to a hundredth.
static uint64_t pickle_limit(const struct fum_zip_entry *entry) {
    enum { LIMIT = 64 << 20, LEAST = 1 << 16, RATIO = 64 };
    uint64_t bound = RATIO * FUM_MIN(entry->packed, (uint64_t)LIMIT) + LEAST;
    return FUM_MIN(bound, (uint64_t)LIMIT);
}

static enum fum_result read_archive(struct fum_torch_reader *r) {
    const struct archive *archive = r->user;
    const struct fum_zip_entry *entry = find_pickle(r);
    if (!entry)
        return fum_error_set(r->err, FUM_ERR_UNSUPPORTED,
                             "%s: a zip archive without data.pkl, so not of torch.save; give a "
                             ".safetensors file",
                             r->file->path);
    if (!archive->prefix)
        return fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for its names", r->file->path);
    uint8_t *data = NULL;
    const value *saved = NULL;
    enum fum_result result = check_order(r);
    if (!result) result = fum_zip_read(&archive->zip, entry, pickle_limit(entry), &data, r->err);
    struct fum_view bytes = {
        .dtype = FUM_U8, .rank = 1, .dim = {result ? 0 : (int64_t)entry->bytes}, .data = data};
    struct fum_pickle pickle = {.path = r->file->path,
                                .bytes = &bytes,
                                .end = entry->bytes,
                                .globals = fum_torch_globals,
                                .arena = r->arena};
    if (!result) result = fum_pickle_read(&pickle, &saved, r->err);
    if (!result) result = fum_torch_add_saved(r, saved, entry->bytes);
    fum_free(data);
    return result;
}

static enum fum_result parse(struct fum_tensors *tensors, const struct fum_format_file *file,
                             struct fum_error *err) {
    struct archive archive = {0};
    struct fum_torch_reader r = {
        .tensors = tensors, .file = file, .err = err, .find = find_in_zip, .user = &archive};
    r.arena = fum_arena_create();
    if (!r.arena) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read it", file->path);
    enum fum_result result = fum_zip_open(&archive.zip, r.arena, file->path, &file->bytes, err);
    if (!result) result = sort_entries(&r);
    if (!result) result = read_archive(&r);
    fum_arena_destroy(&r.arena);
    return result;
}

const struct fum_format fum_format_torch = {.name = "a PyTorch file (.pth, .ckpt, .bin or .pt)",
                                            .magic = "PK\x03\x04",
                                            .magic_bytes = 4,
                                            .parse = parse};
