// SPDX-License-Identifier: MIT
#include "weights/packing.h"

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "base/macros.h"
#include "weights/transpose.h"

#include <stdio.h>
#include <string.h>

// Reads so many bytes of a file at a time. Sizes from 256 KiB to 8 MiB are about equally fast.
enum { CHUNK_BYTES = 2 << 20 };

const struct fum_packing *fum_packing_of(enum fum_pack pack) {
    switch (pack) {
    case FUM_PACK_NONE: return &fum_packing_plain;
    case FUM_PACK_LINEAR: return &fum_packing_linear;
    case FUM_PACK_CONV: return &fum_packing_conv;
    }
    return NULL;
}

// ---- quantised packings ----

#define FUM_QUANTISED(name) &fum_packing_##name,
const struct fum_packing *const fum_quantised_packings[] = {
#include "weights/quantised.def"
    NULL,
};
#undef FUM_QUANTISED

const char *fum_quantised_name(size_t index) {
    size_t count = FUM_COUNT(fum_quantised_packings) - 1;
    return index < count ? fum_quantised_packings[index]->name : NULL;
}

const struct fum_packing *fum_quantised_find(const char *name) {
    for (int i = 0; fum_quantised_packings[i]; i++)
        if (!strcmp(fum_quantised_packings[i]->name, name)) return fum_quantised_packings[i];
    return NULL;
}

const struct fum_packing *fum_quantised_of(const struct fum_block_type *type) {
    for (int i = 0; fum_quantised_packings[i]; i++)
        if (fum_quantised_packings[i]->block->type == type) return fum_quantised_packings[i];
    return NULL;
}

bool fum_packing_keeps(const struct fum_packing *packing, const struct fum_view *view) {
    const struct fum_block_type *type = view->blocks;
    if (!type || !packing->block || packing->block->type != type || view->rank < 2) return false;
    uint64_t block_bytes = (uint64_t)type->values * sizeof(float);
    return view->dim[1] % type->values == 0 && view->offset % block_bytes == 0 &&
           fum_view_count(view) == (uint64_t)(view->dim[0] * view->dim[1]);
}

enum fum_result fum_packing_load(const struct fum_packing *packing, struct fum_view *view,
                                 void **copy, struct fum_error *err) {
    if (fum_packing_keeps(packing, view)) return fum_view_load_blocks(view, copy, err);
    return fum_view_load(view, fum_view_bytes(view), copy, err);
}

bool fum_quantised_fits(const struct fum_packing *packing, const struct fum_shape *shape) {
    return shape->rank >= 2 && shape->dim[shape->rank - 2] % packing->block->terms == 0 &&
           (shape->rank < 4 || fum_packing_taps(shape) <= packing->block->max_taps);
}

struct fum_desc fum_packing_desc(const struct fum_packing *packing, const struct fum_desc *dense) {
    struct fum_desc desc = *dense;
    if (!packing || !packing->block) return desc;
    int64_t *terms = &desc.shape.dim[desc.shape.rank - 2];
    *terms = *terms / packing->block->terms * packing->block->rows;
    desc.dtype = FUM_F32;
    return desc;
}

void fum_quantised_read(const struct fum_packing *packing, const struct fum_shape *dense,
                        const uint32_t *words, double *values) {
    const struct fum_block *block = packing->block;
    int64_t columns = fum_shape_channels(dense), rows = fum_shape_rows(dense);
    for (int64_t r = 0; r < rows; r++) {
        const uint32_t *at = words + r / block->terms * block->rows * columns;
        for (int64_t n = 0; n < columns; n++)
            values[r * columns + n] = block->term(block, at + n, columns, (int)(r % block->terms));
    }
}

int64_t fum_packing_taps(const struct fum_shape *shape) {
    return shape->rank == 4 ? shape->dim[0] * shape->dim[1] : 1;
}

// True if the dimensions are the same but for trailing ones.
static bool same_dimensions(const struct fum_view *a, const struct fum_view *b) {
    int rank = FUM_MAX(a->rank, b->rank);
    for (int i = 0; i < rank; i++)
        if ((i < a->rank ? a->dim[i] : 1) != (i < b->rank ? b->dim[i] : 1)) return false;
    return true;
}

// Writes "[2, 3]" and returns text.
static char *shape_text(const struct fum_view *view, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < view->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? ", " : "",
                                 (long long)view->dim[i]);
    if (used < size) snprintf(text + used, size - used, "]");
    return text;
}

bool fum_packing_check(const struct fum_weight *weight, const struct fum_view *view,
                       struct fum_why *why) {
    const struct fum_shape *shape = &weight->desc.shape;
    struct fum_view need = weight->packing->file_view(shape);
    char found_text[112], need_text[112];
    if (!fum_dtype_size(view->dtype))
        return fum_refuse(why, "is stored in a type that fumarole does not read");
    if (weight->packing->any_dimensions ? (int64_t)fum_view_count(view) == fum_shape_count(shape)
                                        : need.rank && same_dimensions(view, &need))
        return true;
    return fum_refuse(why, "the file has shape %s, the model needs %s",
                      shape_text(view, found_text, sizeof found_text),
                      shape_text(&need, need_text, sizeof need_text));
}

// Zeroes what follows the columns in each row.
static void pad_rows(const struct fum_pack_target *to, int64_t columns) {
    size_t size = fum_dtype_size(to->type), bytes = (size_t)(to->row_elements - columns) * size;
    for (int64_t r = 0; r < to->count && bytes; r++)
        memset((uint8_t *)to->data + (size_t)(r * to->row_elements + columns) * size, 0, bytes);
}

void fum_pack_rows(const struct fum_weight *weight, const struct fum_view *view,
                   const struct fum_pack_target *to) {
    const struct fum_shape *shape = &weight->desc.shape;
    const struct fum_pack_job job = {weight->packing, view, shape, fum_shape_channels(shape), *to};
    pad_rows(to, job.columns);
    weight->packing->rows(&job);
}

// Narrows a job to what rows [first, first + count) of the file hold.
static struct fum_pack_job chunk_job(const struct fum_pack_job *whole, bool transposed,
                                     int64_t first, int64_t count) {
    struct fum_pack_job job = *whole;
    int64_t elements = transposed ? first : first * whole->to.row_elements;
    job.to.data = (uint8_t *)whole->to.data + (size_t)elements * fum_dtype_size(whole->to.type);
    *(transposed ? &job.columns : &job.to.count) = count;
    return job;
}

// How a file's bytes are read: `each` of its `count` rows at a time.
struct chunks {
    int64_t count, each;
    uint64_t row_bytes;
};

static struct chunks choose_chunks(const struct fum_pack_job *job, bool transposed) {
    struct chunks c = {.count = transposed ? job->columns : job->to.count};
    int64_t lines = FUM_PACK_LINE / (int64_t)fum_dtype_size(job->to.type);
    c.row_bytes = fum_view_count(job->view) / (uint64_t)c.count * fum_dtype_size(job->view->dtype);
    c.each = (int64_t)(CHUNK_BYTES / c.row_bytes) / lines * lines;
    if (c.each < lines) c.each = lines;
    if (c.each > c.count) c.each = c.count;
    return c;
}

static enum fum_result pack_from_file(const struct fum_weight *weight,
                                      const struct fum_pack_job *whole, struct fum_error *err) {
    bool transposed = weight->packing->transposed, in_chunks = !weight->packing->whole;
    const struct fum_view *view = whole->view;
    struct chunks c = {1, 1, fum_view_count(view) * fum_dtype_size(view->dtype)};
    if (in_chunks) c = choose_chunks(whole, transposed);
    uint8_t *chunk = fum_alloc((size_t)c.each, (size_t)c.row_bytes);
    if (!chunk)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to read %llu bytes of a weight",
                             (unsigned long long)(c.row_bytes * (uint64_t)c.each));
    struct fum_view in_memory = *view;
    in_memory.data = chunk;
    enum fum_result result = FUM_OK;
    for (int64_t first = 0; first < c.count && !result; first += c.each) {
        int64_t n = FUM_MIN(c.count - first, c.each);
        uint64_t from = (uint64_t)first * c.row_bytes;
        result = fum_view_read(view, from, (uint64_t)n * c.row_bytes, chunk, err);
        in_memory.scale_from = view->scale_from + from / fum_dtype_size(view->dtype);
        struct fum_pack_job job = in_chunks ? chunk_job(whole, transposed, first, n) : *whole;
        job.view = &in_memory;
        if (!result) weight->packing->rows(&job);
    }
    fum_free(chunk);
    return result;
}

// Packs blocks that are of the packing's own type.
static enum fum_result pack_blocks(const struct fum_weight *weight,
                                   const struct fum_pack_job *whole, struct fum_error *err) {
    struct fum_view in_memory = *whole->view;
    struct fum_pack_job job = *whole;
    void *copy = NULL;
    enum fum_result result = fum_view_load_blocks(&in_memory, &copy, err);
    job.view = &in_memory;
    if (!result) weight->packing->rows(&job);
    fum_free(copy);
    return result;
}

enum fum_result fum_pack_tensor(const struct fum_weight *weight, const struct fum_view *view,
                                const struct fum_pack_target *to, struct fum_error *err) {
    const struct fum_shape *shape = &weight->desc.shape;
    struct fum_pack_job whole = {weight->packing, view, shape, fum_shape_channels(shape), *to};
    whole.to.first = 0;
    whole.to.count = fum_shape_rows(shape);
    pad_rows(&whole.to, whole.columns);
    if (!fum_shape_count(shape)) return FUM_OK;
    if (fum_packing_keeps(weight->packing, view)) return pack_blocks(weight, &whole, err);
    if (!view->data) return pack_from_file(weight, &whole, err);
    weight->packing->rows(&whole);
    return FUM_OK;
}
