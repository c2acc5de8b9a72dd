// SPDX-License-Identifier: MIT
// Brings data into an executable's inputs and states, and out of its outputs and states.
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "exec/inside.h"

#include <string.h>

// True if the tensor of the built graph or of the executable's copy has a twin here.
static bool belongs(const fum_executable *exe, const fum_tensor *t) {
    return (t->graph == exe->built || t->graph == exe->graph) && t->id < exe->graph->count;
}

// True if nothing reads the tensor, so that it has no memory.
static bool is_unused(const fum_executable *exe, const fum_tensor *t) {
    return !exe->graph->tensors[t->id]->live;
}

static enum fum_result check_io(const fum_executable *exe, const fum_tensor *t, size_t count,
                                struct fum_error *err) {
    bool external = t->kind == FUM_TENSOR_INPUT || t->kind == FUM_TENSOR_STATE;
    if (!belongs(exe, t) ||
        (exe->plan->places[t->id].block < 0 && !(external && is_unused(exe, t))))
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: not an input, state or output of this executable", t->name);
    if ((int64_t)count != fum_shape_count(&t->desc.shape))
        return fum_error_set(err, FUM_ERR_ARG, "%s: has %lld elements, not %zu", t->name,
                             (long long)fum_shape_count(&t->desc.shape), count);
    return FUM_OK;
}

enum fum_result fum_executable_write_raw(fum_executable *exe, const fum_tensor *t, const void *data,
                                         uint64_t bytes, struct fum_error *err) {
    const struct fum_place *place = &exe->plan->places[t->id];
    if (place->block < 0 || bytes > place->bytes)
        return fum_error_set(err, FUM_ERR_ARG, "%s: cannot take %llu bytes", t->name,
                             (unsigned long long)bytes);
    fum_buffer_set_label(exe->blocks[place->block], fum_tensor_name(t));
    enum fum_result result =
        fum_buffer_write(exe->blocks[place->block], place->offset, data, bytes, err);
    if (!result) exe->written[t->id] = true;
    return result;
}

enum fum_result fum_executable_read_raw(fum_executable *exe, struct fum_tensor_part part,
                                        void *data, struct fum_error *err) {
    const fum_tensor *t = part.tensor;
    const struct fum_place *place = &exe->plan->places[t->id];
    if (place->block < 0 || part.offset > place->bytes || part.bytes > place->bytes - part.offset)
        return fum_error_set(err, FUM_ERR_ARG, "%s: cannot give %llu bytes", t->name,
                             (unsigned long long)part.bytes);
    fum_buffer_set_label(exe->blocks[place->block], fum_tensor_name(t));
    return fum_buffer_read(exe->blocks[place->block], place->offset + part.offset, data, part.bytes,
                           err);
}

void fum_rows_unpad(const struct fum_desc *desc, const uint8_t *padded, float *dense, size_t rows) {
    size_t columns = (size_t)fum_shape_channels(&desc->shape);
    size_t row_bytes = (size_t)fum_desc_row_bytes(desc);
    for (size_t r = 0; r < rows; r++)
        fum_convert_to_f32(dense + r * columns, padded + r * row_bytes, desc->dtype, columns);
}

void fum_rows_pad(const struct fum_desc *desc, const float *dense, uint8_t *padded, size_t rows) {
    size_t columns = (size_t)fum_shape_channels(&desc->shape);
    size_t row_bytes = (size_t)fum_desc_row_bytes(desc);
    for (size_t r = 0; r < rows; r++)
        fum_convert_from_f32(padded + r * row_bytes, desc->dtype, dense + r * columns, columns);
}

// Dense rows of f32, or of int32_t.
struct dense {
    const void *data;
    size_t count;
    bool integers;
};

// Converts dense rows to padded rows of the tensor's type and writes them.
static enum fum_result write_rows(fum_executable *exe, const fum_tensor *t, struct dense from,
                                  struct fum_error *err) {
    const size_t count = from.count;
    enum fum_result result = check_io(exe, t, count, err);
    if (result || !count || is_unused(exe, t)) return result; // what nothing reads needs no memory
    if (from.integers != (t->desc.dtype == FUM_I32))
        return fum_error_set(err, FUM_ERR_ARG, "%s: holds %s", t->name,
                             fum_dtype_name(t->desc.dtype));
    size_t columns = (size_t)fum_shape_channels(&t->desc.shape), rows = count / columns;
    size_t row_bytes = (size_t)fum_desc_row_bytes(&t->desc);
    uint8_t *padded = fum_calloc(rows, row_bytes);
    if (!padded)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu elements", t->name, count);
    for (size_t r = 0; r < rows && from.integers; r++)
        memcpy(padded + r * row_bytes, (const int32_t *)from.data + r * columns, columns * 4);
    if (!from.integers) fum_rows_pad(&t->desc, from.data, padded, rows);
    result = fum_executable_write_raw(exe, t, padded, rows * row_bytes, err);
    fum_free(padded);
    return result;
}

enum fum_result fum_executable_write(fum_executable *exe, const fum_tensor *tensor,
                                     const float *data, size_t count, struct fum_error *err) {
    return write_rows(exe, tensor, (struct dense){data, count, false}, err);
}

enum fum_result fum_executable_write_i32(fum_executable *exe, const fum_tensor *tensor,
                                         const int32_t *data, size_t count, struct fum_error *err) {
    return write_rows(exe, tensor, (struct dense){data, count, true}, err);
}

enum fum_result fum_executable_read(fum_executable *exe, const fum_tensor *t, float *data,
                                    size_t count, struct fum_error *err) {
    enum fum_result result = check_io(exe, t, count, err);
    if (result || !count) return result;
    if (is_unused(exe, t))
        return fum_error_set(err, FUM_ERR_ARG, "%s: nothing uses it, so it was not kept", t->name);
    return fum_executable_read_rows(exe, t, (size_t)fum_shape_rows(&t->desc.shape), data, err);
}

enum fum_result fum_executable_read_rows(fum_executable *exe, const fum_tensor *t, size_t rows,
                                         float *data, struct fum_error *err) {
    size_t row_bytes = (size_t)fum_desc_row_bytes(&t->desc);
    const struct fum_place *place = &exe->plan->places[t->id];
    uint8_t *padded = fum_alloc(rows, row_bytes);
    if (!padded)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu rows", t->name, rows);
    fum_buffer_set_label(exe->blocks[place->block], fum_tensor_name(t));
    enum fum_result result =
        fum_buffer_read(exe->blocks[place->block], place->offset, padded, rows * row_bytes, err);
    if (!result) fum_rows_unpad(&t->desc, padded, data, rows);
    fum_free(padded);
    return result;
}
