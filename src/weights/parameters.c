// SPDX-License-Identifier: MIT
#include "weights/parameters.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/require.h"
#include "weights/packing.h"

#include <string.h>

struct parameter {
    struct fum_weight weight; // name in the arena
    fum_buffer *buffer;
};

struct fum_parameters {
    fum_device *device;
    struct fum_weight_source source; // find is NULL: none
    fum_arena *arena;
    struct parameter *items;
    int count;
    size_t capacity;
};

enum fum_result fum_parameters_create_from(fum_parameters **out, fum_device *device,
                                           const struct fum_weight_source *source,
                                           struct fum_error *err) {
    fum_parameters *p = *out = fum_calloc(1, sizeof *p);
    if (p) p->arena = fum_arena_create();
    if (!p || !p->arena) {
        fum_parameters_destroy(out);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a store of parameters");
    }
    p->device = device;
    if (source) p->source = *source;
    return FUM_OK;
}

enum fum_result fum_parameters_create(fum_parameters **parameters, fum_device *device,
                                      struct fum_error *err) {
    return fum_parameters_create_from(parameters, device, NULL, err);
}

void fum_parameters_destroy(fum_parameters **parameters) {
    if (!parameters || !*parameters) return;
    for (int i = 0; i < (*parameters)->count; i++)
        fum_buffer_destroy(&(*parameters)->items[i].buffer);
    fum_free((*parameters)->items);
    fum_arena_destroy(&(*parameters)->arena);
    fum_free(*parameters);
    *parameters = NULL;
}

static struct parameter *find(const fum_parameters *parameters, const char *name) {
    for (int i = 0; i < parameters->count; i++)
        if (!strcmp(parameters->items[i].weight.name, name)) return &parameters->items[i];
    return NULL;
}

struct fum_binding fum_parameters_find(const fum_parameters *parameters, const char *name) {
    const struct parameter *p = find(parameters, name);
    if (!p) return (struct fum_binding){0};
    uint64_t bytes = fum_desc_bytes(&p->weight.desc);
    return (struct fum_binding){.buffer = p->buffer, .bytes = bytes ? bytes : 16};
}

// ---- layouts ----

// Describes the parameter's values as a file holds them.
static struct fum_view file_view(const struct fum_weight *weight, const float *values) {
    struct fum_view view = weight->packing->file_view(&weight->desc.shape);
    view.dtype = FUM_F32;
    view.data = values;
    return view;
}

// Undoes the packing of dense rows: [taps, in, out] to [out, in, taps].
static void unpack_values(const struct fum_weight *weight, const float *packed, float *values) {
    int64_t count = fum_shape_count(&weight->desc.shape),
            taps = fum_packing_taps(&weight->desc.shape);
    int64_t outputs = fum_shape_channels(&weight->desc.shape);
    int64_t inputs = count ? count / taps / outputs : 0;
    if (!weight->packing->transposed) {
        memcpy(values, packed, (size_t)count * sizeof *values);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t out = i % outputs, in = i / outputs % inputs, tap = i / outputs / inputs;
        values[(out * inputs + in) * taps + tap] = packed[i];
    }
}

// ---- values ----

// Writes the packed values of a view, or zeros, over a parameter.
static enum fum_result write_view(const struct parameter *p, const struct fum_view *view,
                                  struct fum_error *err) {
    const struct fum_weight *weight = &p->weight;
    uint64_t bytes = fum_desc_bytes(&weight->desc);
    struct fum_why why = {{0}};
    if (!bytes) return FUM_OK;
    if (view && !fum_packing_check(weight, view, &why))
        return fum_error_set(err, FUM_ERR_FORMAT, "parameter %s: %s", weight->name, why.text);
    float *rows = fum_calloc(bytes, 1);
    if (!rows) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for parameter %s", weight->name);
    const struct fum_pack_target to = {.data = rows,
                                       .type = FUM_F32,
                                       .row_elements =
                                           4 * fum_shape_row_quads(&weight->desc.shape)};
    enum fum_result result = view ? fum_pack_tensor(weight, view, &to, err) : FUM_OK;
    if (!result) result = fum_buffer_write(p->buffer, 0, rows, bytes, err);
    fum_free(rows);
    return result;
}

// Reads a parameter's padded rows into dense ones.
static enum fum_result read_dense(const struct parameter *p, float *dense, struct fum_error *err) {
    const struct fum_desc *desc = &p->weight.desc;
    uint64_t bytes = fum_desc_bytes(desc);
    size_t columns = (size_t)fum_shape_channels(&desc->shape);
    size_t stride = 4 * (size_t)fum_shape_row_quads(&desc->shape);
    float *rows = fum_alloc(bytes, 1);
    if (!rows)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to read parameter %s", p->weight.name);
    enum fum_result result = fum_buffer_read(p->buffer, 0, rows, bytes, err);
    for (int64_t r = 0; r < fum_shape_rows(&desc->shape) && !result; r++)
        memcpy(dense + (size_t)r * columns, rows + (size_t)r * stride, columns * sizeof *dense);
    fum_free(rows);
    return result;
}

static enum fum_result read_values(const struct parameter *p, float *values,
                                   struct fum_error *err) {
    size_t count = (size_t)fum_shape_count(&p->weight.desc.shape);
    if (!count) return FUM_OK;
    float *dense = fum_alloc(count, sizeof *dense);
    if (!dense)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to read parameter %s", p->weight.name);
    enum fum_result result = read_dense(p, dense, err);
    if (!result) unpack_values(&p->weight, dense, values);
    fum_free(dense);
    return result;
}

// Returns the parameter of that name and number of elements; NULL with an error if there is none.
static struct parameter *find_counted(const fum_parameters *parameters, const char *name,
                                      size_t count, struct fum_error *err) {
    if (fum_require(name, "the name of a parameter", err)) return NULL;
    struct parameter *p = find(parameters, name);
    if (!p) {
        fum_error_set(err, FUM_ERR_ARG, "no parameter %s", name);
        return NULL;
    }
    size_t have = (size_t)fum_shape_count(&p->weight.desc.shape);
    if (have == count) return p;
    fum_error_set(err, FUM_ERR_ARG, "parameter %s has %zu elements, not %zu", name, have, count);
    return NULL;
}

enum fum_result fum_parameters_read(const fum_parameters *parameters, const char *name,
                                    float *values, size_t count, struct fum_error *err) {
    const struct parameter *p = find_counted(parameters, name, count, err);
    return p ? read_values(p, values, err) : FUM_ERR_ARG;
}

enum fum_result fum_parameters_write(fum_parameters *parameters, const char *name,
                                     const float *values, size_t count, struct fum_error *err) {
    const struct parameter *p = find_counted(parameters, name, count, err);
    if (!p) return FUM_ERR_ARG;
    const struct fum_view view = file_view(&p->weight, values);
    return write_view(p, &view, err);
}

enum fum_result fum_parameters_save(const fum_parameters *parameters,
                                    enum fum_result (*put)(void *user, const char *name,
                                                           const struct fum_view *view,
                                                           struct fum_error *err),
                                    void *user, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < parameters->count && !result; i++) {
        const struct parameter *p = &parameters->items[i];
        float *values = fum_alloc((size_t)fum_shape_count(&p->weight.desc.shape), sizeof *values);
        if (!values)
            return fum_error_set(err, FUM_ERR_NOMEM, "no memory to save %s", p->weight.name);
        const struct fum_view view = file_view(&p->weight, values);
        result = read_values(p, values, err);
        if (!result) result = put(user, p->weight.name, &view, err);
        fum_free(values);
    }
    return result;
}

// ---- adding ----

static enum fum_result check_same(const struct fum_weight *held, const struct fum_weight *weight,
                                  struct fum_error *err) {
    if (held->packing == weight->packing && fum_shape_same(&held->desc.shape, &weight->desc.shape))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG, "parameter %s has another shape or packing elsewhere",
                         weight->name);
}

static enum fum_result append(fum_parameters *parameters, const struct fum_weight *weight,
                              struct parameter **added, struct fum_error *err) {
    struct parameter p = {.weight = *weight};
    uint64_t bytes = fum_desc_bytes(&weight->desc);
    p.weight.name = fum_arena_strdup(parameters->arena, weight->name);
    if (!p.weight.name || !fum_grow((void **)&parameters->items, &parameters->capacity,
                                    (size_t)parameters->count, sizeof *parameters->items))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for parameter %s", weight->name);
    const struct fum_buffer_params params = {
        .bytes = bytes ? bytes : 16, .use = FUM_BUFFER_DEVICE, .label = weight->name};
    enum fum_result result = fum_buffer_create(&p.buffer, parameters->device, &params, err);
    if (result) return result;
    *added = &parameters->items[parameters->count++];
    **added = p;
    return FUM_OK;
}

enum fum_result fum_parameters_add(fum_parameters *parameters, const struct fum_weight *weight,
                                   const struct fum_view *view, struct fum_error *err) {
    struct parameter *p = find(parameters, weight->name);
    if (p) return check_same(&p->weight, weight, err);
    enum fum_result result = append(parameters, weight, &p, err);
    if (!result && (result = write_view(p, view, err))) {
        fum_buffer_destroy(&p->buffer);
        parameters->count--;
    }
    return result;
}

enum fum_result fum_parameters_load(fum_parameters *parameters, const struct fum_weight *weight,
                                    struct fum_error *err) {
    const struct fum_weight_source *source = &parameters->source;
    struct fum_view view;
    if (!source->find || find(parameters, weight->name))
        return fum_parameters_add(parameters, weight, NULL, err);
    if (!source->find(source->user, weight->name, &view))
        return fum_error_set(err, FUM_ERR_FORMAT, "parameter %s is missing", weight->name);
    return fum_parameters_add(parameters, weight, &view, err);
}
