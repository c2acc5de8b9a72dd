// SPDX-License-Identifier: MIT
#include "base/view.h"

#include "base/block.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"

#include <string.h>

enum { RAW_BYTES = 16384 }; // of blocks that are read at a time

static enum fum_result read_blocks(const struct fum_view *view, uint64_t first, uint64_t count,
                                   uint8_t *to, struct fum_error *err) {
    uint64_t size = (uint64_t)view->blocks->bytes, from = first * size;
    if (!view->block_data)
        return fum_file_read_at(view->file, view->block_offset + from, count * size, to, err);
    memcpy(to, (const uint8_t *)view->block_data + from, (size_t)(count * size));
    return FUM_OK;
}

// Reads bytes of the values that blocks stand for.
static enum fum_result read_values(const struct fum_view *view, uint64_t from, uint64_t bytes,
                                   uint8_t *to, struct fum_error *err) {
    const struct fum_block_type *type = view->blocks;
    uint64_t each = (uint64_t)type->values * sizeof(float), end = from + bytes;
    uint8_t raw[RAW_BYTES];
    float values[FUM_BLOCK_MAX_VALUES];
    uint64_t most = RAW_BYTES / (uint64_t)type->bytes, last = FUM_DIV_UP(end, each);
    for (uint64_t first = from / each; first < last && bytes; first += most) {
        uint64_t count = FUM_MIN(last - first, most);
        enum fum_result result = read_blocks(view, first, count, raw, err);
        if (result) return result;
        for (uint64_t b = 0; b < count; b++) {
            uint64_t begin = (first + b) * each, low = FUM_MAX(begin, from),
                     high = FUM_MIN(begin + each, end);
            fum_blocks_read(type, raw + b * (uint64_t)type->bytes, 1, values);
            memcpy(to + (low - from), (const uint8_t *)values + (low - begin),
                   (size_t)(high - low));
        }
    }
    return FUM_OK;
}

enum fum_result fum_view_read(const struct fum_view *view, uint64_t from, uint64_t bytes, void *to,
                              struct fum_error *err) {
    if (view->blocks) return read_values(view, view->offset + from, bytes, to, err);
    if (!view->data)
        return bytes ? fum_file_read_at(view->file, view->offset + from, bytes, to, err) : FUM_OK;
    memcpy(to, (const uint8_t *)view->data + from, (size_t)bytes);
    return FUM_OK;
}

enum fum_result fum_view_load(struct fum_view *view, uint64_t bytes, void **copy,
                              struct fum_error *err) {
    *copy = NULL;
    if (view->data) return FUM_OK;
    *copy = fum_alloc((size_t)bytes, 1);
    if (!*copy)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %llu bytes of a tensor",
                             (unsigned long long)bytes);
    const struct fum_computed *computed = view->computed;
    enum fum_result result = computed ? computed->write(computed->user, *copy, err)
                                      : fum_view_read(view, 0, bytes, *copy, err);
    if (!result) {
        view->data = *copy;
        view->computed = NULL;
        view->blocks = NULL;
        return FUM_OK;
    }
    fum_free(*copy);
    *copy = NULL;
    return result;
}

enum fum_result fum_view_load_blocks(struct fum_view *view, void **copy, struct fum_error *err) {
    const struct fum_block_type *type = view->blocks;
    uint64_t first = view->offset / sizeof(float) / (uint64_t)type->values;
    uint64_t count = FUM_DIV_UP(fum_view_count(view), (uint64_t)type->values);
    *copy = NULL;
    view->offset = 0;
    if (view->block_data) {
        view->block_data = (const uint8_t *)view->block_data + first * (uint64_t)type->bytes;
        return FUM_OK;
    }
    *copy = fum_alloc((size_t)count, (size_t)type->bytes);
    if (!*copy)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %llu blocks of a tensor",
                             (unsigned long long)count);
    enum fum_result result = read_blocks(view, first, count, *copy, err);
    view->block_data = *copy;
    if (!result) return FUM_OK;
    fum_free(*copy);
    *copy = NULL;
    return result;
}

enum fum_result fum_view_read_f32(const struct fum_view *view, float *values,
                                  struct fum_error *err) {
    struct fum_view loaded = *view;
    size_t count = (size_t)fum_view_count(view);
    void *copy = NULL;
    // A computed view that is to be written in another type has that as its own.
    if (view->computed) return view->computed->write(view->computed->user, values, err);
    enum fum_result result = fum_view_load(&loaded, fum_view_bytes(view), &copy, err);
    if (!result) fum_convert_to_f32(values, loaded.data, loaded.dtype, count);
    if (!result) fum_view_scale(&loaded, 0, values, count);
    fum_free(copy);
    return result;
}

void fum_view_skip(struct fum_view *view, uint64_t bytes) {
    if (view->data) view->data = (const uint8_t *)view->data + bytes;
    view->offset += bytes;
    if (view->scale_each) view->scale_from += bytes / fum_dtype_size(view->dtype);
}

void fum_view_scale(const struct fum_view *view, uint64_t from, float *values, size_t count) {
    for (size_t i = 0; i < count && view->scales; i++)
        values[i] *=
            view->scales[view->scale_each ? (view->scale_from + from + i) / view->scale_each : 0];
}

uint64_t fum_view_count(const struct fum_view *view) {
    uint64_t n = 1;
    for (int i = 0; i < view->rank; i++) n *= (uint64_t)view->dim[i];
    return n;
}

uint64_t fum_view_bytes(const struct fum_view *view) {
    return fum_view_count(view) * fum_dtype_size(view->dtype);
}
