// SPDX-License-Identifier: MIT
// Lists the tensors of a dict that torch.save wrote in either form.
#include "io/torch_reader.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

typedef struct fum_pickle_value value;

// ---- names ----

static int use_of(const value *v) {
    bool named = v->kind == FUM_PICKLE_GLOBAL || v->kind == FUM_PICKLE_CALL;
    return named ? fum_torch_globals[v->global].use : 0;
}

// Returns the type that a name stands for; NULL: none.
static const struct fum_torch_type *find_type(const value *v) {
    int use = v->kind == FUM_PICKLE_GLOBAL ? use_of(v) : 0;
    return use >= FUM_TORCH_TYPE ? &fum_torch_types[use - FUM_TORCH_TYPE] : NULL;
}

static bool is_rebuild(const value *v) {
    int use = v->kind == FUM_PICKLE_CALL ? use_of(v) : 0;
    return use == FUM_TORCH_TENSOR || use == FUM_TORCH_TENSOR_V3;
}

enum fum_result fum_torch_refuse(const struct fum_torch_reader *r, const char *name,
                                 const char *what) {
    return fum_error_set(r->err, FUM_ERR_FORMAT, "%s: tensor %s: %s", r->file->path,
                         fum_text_show(name).text, what);
}

// ---- tensors ----

// A tensor as its call describes it, in elements.
struct layout {
    const char *name;
    const struct fum_torch_type *type;
    struct fum_view view; // type and shape
    int64_t stride[FUM_VIEW_MAX_DIMS];
    uint64_t offset, count;
    struct fum_torch_storage storage;
};

static bool is_tuple(const value *v, size_t least) {
    return (v->kind == FUM_PICKLE_TUPLE || v->kind == FUM_PICKLE_LIST) && v->count >= least;
}

// Returns the type of a storage by its identification; NULL: unknown.
static const struct fum_torch_type *storage_type(const value *persistent, const char **key) {
    if (persistent->kind != FUM_PICKLE_PERSISTENT) return NULL;
    const value *id = persistent->items[0];
    if (!is_tuple(id, 5) || id->items[2]->kind != FUM_PICKLE_TEXT) return NULL;
    // The sixth, if any, makes it a part of another storage.
    if (id->count > 5 && id->items[5]->kind != FUM_PICKLE_NONE) return NULL;
    *key = id->items[2]->text;
    return find_type(id->items[1]);
}

size_t fum_torch_storage_element(const value *persistent, const char **key) {
    const struct fum_torch_type *type = storage_type(persistent, key);
    return type ? type->bytes : 0;
}

// Finds the storage and the type of the elements, which newer files state apart from it.
static enum fum_result read_storage(const struct fum_torch_reader *r, const value *call,
                                    struct layout *l) {
    const char *key = NULL;
    l->type = storage_type(call->items[0], &key);
    if (l->type && use_of(call) == FUM_TORCH_TENSOR_V3)
        l->type = call->count > 6 ? find_type(call->items[6]) : NULL;
    if (!l->type) return fum_torch_refuse(r, l->name, "its storage is of an unknown kind");
    l->view.dtype = l->type->dtype;
    return r->find(r, l->name, key, &l->storage);
}

static bool read_counts(const value *v, int rank, int64_t *counts) {
    if (!is_tuple(v, 0) || v->count != (size_t)rank) return false;
    for (int i = 0; i < rank; i++) {
        const value *item = v->items[i];
        if (item->kind != FUM_PICKLE_INTEGER || item->integer < 0 ||
            item->integer > (int64_t)1 << 40)
            return false;
        counts[i] = item->integer;
    }
    return true;
}

static enum fum_result read_layout(const struct fum_torch_reader *r, const value *v,
                                   struct layout *l) {
    if (v->count < 4) return fum_torch_refuse(r, l->name, "its description is cut off");
    const value *offset = v->items[1], *size = v->items[2];
    l->view.rank = (int)FUM_MIN(size->count, (size_t)FUM_VIEW_MAX_DIMS + 1);
    if (l->view.rank > FUM_VIEW_MAX_DIMS)
        return fum_torch_refuse(r, l->name, "it has too many dimensions");
    if (offset->kind != FUM_PICKLE_INTEGER || offset->integer < 0 ||
        !read_counts(size, l->view.rank, l->view.dim) ||
        !read_counts(v->items[3], l->view.rank, l->stride))
        return fum_torch_refuse(r, l->name, "its shape is not one of whole numbers");
    l->offset = (uint64_t)offset->integer;
    return read_storage(r, v, l);
}

// Checks that every element lies in the storage, and counts them.
static enum fum_result check_layout(const struct fum_torch_reader *r, struct layout *l) {
    uint64_t limit = l->storage.bytes / l->type->bytes, last = l->offset;
    l->count = 1;
    for (int i = 0; i < l->view.rank; i++)
        if (!l->view.dim[i]) l->count = 0;
    for (int i = 0; i < l->view.rank && l->count; i++) {
        uint64_t dim = (uint64_t)l->view.dim[i], steps = dim - 1;
        if (l->count > limit / dim)
            return fum_torch_refuse(r, l->name, "it has more elements than its storage: cut off?");
        l->count *= dim;
        if (steps && (uint64_t)l->stride[i] > limit / steps)
            return fum_torch_refuse(r, l->name, "it ends outside its storage: cut off?");
        last += (uint64_t)l->stride[i] * steps;
        if (last >= limit)
            return fum_torch_refuse(r, l->name, "it ends outside its storage: cut off?");
    }
    if (l->count && last >= limit)
        return fum_torch_refuse(r, l->name, "it begins outside its storage: cut off?");
    return FUM_OK;
}

// True if the elements follow each other in row-major order.
static bool is_dense(const struct layout *l) {
    int64_t expected = 1;
    for (int i = l->view.rank - 1; i >= 0; i--) {
        if (l->view.dim[i] != 1 && l->stride[i] != expected) return false;
        expected *= l->view.dim[i];
    }
    return true;
}

static uint64_t element_place(const struct layout *l, uint64_t index) {
    uint64_t place = l->offset;
    for (int i = l->view.rank - 1; i >= 0; i--) {
        uint64_t dim = (uint64_t)l->view.dim[i];
        place += index % dim * (uint64_t)l->stride[i];
        index /= dim;
    }
    return place;
}

// Takes bytes of what names and copies may have. False: more than an honest file needs.
static bool take_room(struct fum_torch_reader *r, uint64_t bytes) {
    if (bytes > r->room) return false;
    r->room -= bytes;
    return true;
}

// Copies the elements of a transposed or sliced tensor into the arena, in row-major order.
static enum fum_result gather(struct fum_torch_reader *r, struct layout *l) {
    size_t size = l->type->bytes;
    // A file has room for each of its elements once. Some may be stored transposed twice.
    if (!take_room(r, l->storage.bytes + l->count * size))
        return fum_torch_refuse(r, l->name, "its elements are repeated too often");
    uint8_t *all = fum_alloc((size_t)l->storage.bytes, 1),
            *dense = fum_arena_alloc(r->tensors->arena, (size_t)l->count, size);
    enum fum_result result = FUM_OK;
    if (!all || !dense)
        result = fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for tensor %s", r->file->path,
                               fum_text_show(l->name).text);
    if (!result)
        result = fum_view_read(&r->file->bytes, l->storage.offset, l->storage.bytes, all, r->err);
    for (uint64_t i = 0; i < l->count && !result; i++)
        memcpy(dense + i * size, all + element_place(l, i) * size, size);
    l->view.data = dense;
    fum_free(all);
    return result;
}

static enum fum_result add_tensor(struct fum_torch_reader *r, const char *name, const value *v) {
    struct layout l = {.name = name};
    enum fum_result result = read_layout(r, v, &l);
    if (!result) result = check_layout(r, &l);
    if (result) return result;
    size_t size = l.type->bytes;
    struct fum_loader_tensor tensor = {.name = name,
                                       .type = l.type->name,
                                       .offset = l.storage.offset + (l.count ? l.offset * size : 0),
                                       .bytes = l.count * size,
                                       .file = r->file->index};
    if (l.count && !is_dense(&l)) {
        result = gather(r, &l);
        if (result) return result;
    } else {
        l.view.data = r->file->bytes.data;
        l.view.file = r->file->bytes.file;
        fum_view_skip(&l.view, tensor.offset);
    }
    tensor.view = l.view;
    if (fum_tensors_add(r->tensors, &tensor)) return FUM_OK;
    return fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for the list of its tensors",
                         r->file->path);
}

// ---- dicts ----

enum { MAX_DEPTH = 8, MAX_VISITS = 1 << 20, MAX_NAME = 512 };

static enum fum_result refuse_amount(const struct fum_torch_reader *r) {
    return fum_error_set(r->err, FUM_ERR_UNSUPPORTED, "%s: its dicts hold too much", r->file->path);
}

// Adds the tensors of a dict. Names of dicts in dicts are joined with dots. Other values, such as
// numbers of steps, are skipped, and so are dicts that lie deeper than any weights do.
static enum fum_result add_dict(struct fum_torch_reader *r, const value *dict, const char *prefix,
                                int depth) {
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i + 1 < dict->count && !result; i += 2) {
        const value *key = dict->items[i], *v = dict->items[i + 1];
        char name[MAX_NAME];
        if (!r->visits--) return refuse_amount(r);
        bool parameter = v->kind == FUM_PICKLE_CALL && use_of(v) == FUM_TORCH_PARAMETER && v->count;
        if (parameter) v = v->items[0];
        bool inner = v->kind == FUM_PICKLE_DICT && depth < MAX_DEPTH;
        if (key->kind != FUM_PICKLE_TEXT || (!inner && !is_rebuild(v))) continue;
        int length = snprintf(name, sizeof name, "%s%s", prefix, key->text);
        if (length < 0 || length >= MAX_NAME - 1)
            return fum_torch_refuse(r, key->text, "its name is too long");
        if (!take_room(r, (uint64_t)length)) return refuse_amount(r);
        if (is_rebuild(v)) {
            result = add_tensor(r, name, v);
        } else {
            snprintf(name + length, sizeof name - (size_t)length, ".");
            result = add_dict(r, v, name, depth + 1);
        }
    }
    return result;
}

enum fum_result fum_torch_add_saved(struct fum_torch_reader *r, const value *saved,
                                    uint64_t pickle_bytes) {
    const value *inner = fum_pickle_get(saved, "state_dict");
    if (inner && inner->kind == FUM_PICKLE_DICT) saved = inner;
    if (saved->kind != FUM_PICKLE_DICT)
        return fum_error_set(r->err, FUM_ERR_FORMAT,
                             "%s: holds no dict of tensors; save the model's state_dict()",
                             r->file->path);
    r->visits = FUM_MIN(pickle_bytes, (uint64_t)MAX_VISITS);
    r->room = 4 * fum_view_count(&r->file->bytes) + 16 * pickle_bytes;
    return add_dict(r, saved, "", 0);
}
