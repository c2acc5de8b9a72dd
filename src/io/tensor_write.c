// SPDX-License-Identifier: MIT
#include "io/tensor_write.h"

#include "base/alloc.h"
#include "base/block.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/thread.h"

#include <pthread.h>

enum { MAX_THREADS = 16 };

// Computes the values of a tensor. *bytes, freed with fum_free, holds them in the tensor's type.
static enum fum_result compute(const struct fum_view *view, void **bytes, struct fum_error *err) {
    size_t count = (size_t)fum_view_count(view);
    float *values = fum_alloc(count, sizeof *values);
    *bytes = values ? fum_alloc(count, fum_dtype_size(view->dtype)) : NULL;
    enum fum_result result =
        *bytes ? view->computed->write(view->computed->user, values, err)
               : fum_error_set(err, FUM_ERR_NOMEM, "no memory for %zu values of a tensor", count);
    if (!result) fum_convert_from_f32(*bytes, view->dtype, values, count);
    fum_free(values);
    return result;
}

enum fum_result fum_tensor_write(fum_file_writer *writer, const struct fum_view *view,
                                 struct fum_error *err) {
    struct fum_view loaded = *view;
    uint64_t bytes = fum_view_bytes(view);
    void *copy = NULL;
    enum fum_result result = FUM_OK;
    if (view->computed)
        result = compute(view, &copy, err);
    else
        result = fum_view_load(&loaded, bytes, &copy, err);
    const void *data = view->computed ? copy : loaded.data;
    if (!result) result = fum_file_write(writer, data, (size_t)bytes, err);
    fum_free(copy);
    return result;
}

// A range of blocks that a thread quantises.
struct quantising {
    const struct fum_block_type *type;
    const float *values;
    uint8_t *blocks;
    size_t count;
};

static void *quantise_range(void *user) {
    const struct quantising *q = user;
    fum_blocks_write(q->type, q->values, q->count, q->blocks);
    return NULL;
}

// Quantises on all processors.
static void quantise_all(const struct quantising *all) {
    pthread_t threads[MAX_THREADS];
    struct quantising parts[MAX_THREADS];
    size_t count = (size_t)FUM_MIN(fum_cpu_count(), MAX_THREADS),
           each = FUM_DIV_UP(all->count, count);
    size_t started = 0;
    for (size_t i = 0; i < count; i++) {
        size_t first = FUM_MIN(i * each, all->count);
        parts[i] = (struct quantising){all->type, all->values + first * (size_t)all->type->values,
                                       all->blocks + first * (size_t)all->type->bytes,
                                       FUM_MIN(each, all->count - first)};
    }
    while (started + 1 < count &&
           !pthread_create(&threads[started], NULL, quantise_range, &parts[started]))
        started++;
    for (size_t i = started; i < count; i++) quantise_range(&parts[i]);
    for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

static enum fum_result write_stored(fum_file_writer *writer, struct fum_view view, size_t bytes,
                                    struct fum_error *err) {
    void *copy = NULL;
    enum fum_result result = fum_view_load_blocks(&view, &copy, err);
    if (!result) result = fum_file_write(writer, view.block_data, bytes, err);
    fum_free(copy);
    return result;
}

// Reads or computes all values as f32, whatever type the view has.
static enum fum_result read_values(const struct fum_view *view, float *values,
                                   struct fum_error *err) {
    if (view->computed) return view->computed->write(view->computed->user, values, err);
    return fum_view_read_f32(view, values, err);
}

enum fum_result fum_tensor_write_blocks(fum_file_writer *writer, const struct fum_view *view,
                                        const struct fum_block_type *type, struct fum_error *err) {
    size_t values = (size_t)fum_view_count(view), count = values / (size_t)type->values;
    size_t bytes = count * (size_t)type->bytes;
    bool aligned = view->offset % ((size_t)type->values * sizeof(float)) == 0;
    if (view->blocks == type && !view->computed && aligned)
        return write_stored(writer, *view, bytes, err);
    struct quantising q = {type, fum_alloc(values, sizeof(float)), fum_alloc(bytes, 1), count};
    enum fum_result result = FUM_OK;
    if (!q.values || !q.blocks)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for %zu values of a tensor", values);
    if (!result) result = read_values(view, (float *)q.values, err);
    if (!result) {
        quantise_all(&q);
        result = fum_file_write(writer, q.blocks, bytes, err);
    }
    fum_free((float *)q.values);
    fum_free(q.blocks);
    return result;
}
