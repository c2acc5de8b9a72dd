// SPDX-License-Identifier: MIT
#include "graph/interp.h"

#include "base/dtype.h"
#include "base/error.h"
#include "weights/packing.h"

#include <math.h>
#include <string.h>

struct fum_interp {
    const fum_graph *graph;
    const struct fum_weight_source *source;
    bool round_storage;
    double **values; // by tensor id; NULL until set or computed
};

enum fum_result fum_interp_create(fum_interp **out, const fum_graph *graph,
                                  const struct fum_weight_source *source, bool round_storage,
                                  struct fum_error *err) {
    *out = NULL;
    enum fum_result result = fum_graph_check(graph, err);
    if (result) return result;
    fum_interp *interp = fum_calloc(1, sizeof *interp);
    if (interp) interp->values = fum_calloc((size_t)graph->count, sizeof *interp->values);
    if (!interp || !interp->values) {
        fum_free(interp);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to interpret a graph of %d nodes",
                             graph->count);
    }
    interp->graph = graph;
    interp->source = source;
    interp->round_storage = round_storage;
    *out = interp;
    return FUM_OK;
}

void fum_interp_destroy(fum_interp **interp) {
    if (!interp || !*interp) return;
    for (int i = 0; i < (*interp)->graph->count; i++) fum_free((*interp)->values[i]);
    fum_free((*interp)->values);
    fum_free(*interp);
    *interp = NULL;
}

// Returns the value's array, which is made (zeroed) on first use.
static double *value_of(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    double **value = &interp->values[t->id];
    size_t count = (size_t)fum_shape_count(&t->desc.shape);
    if (!*value) *value = fum_calloc(count, sizeof **value);
    if (!*value) fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu numbers", t->name, count);
    return *value;
}

// Rounds a value to its storage type if the interpreter does so.
static void round_value(const fum_interp *interp, const fum_tensor *t, double *value) {
    int64_t count = interp->round_storage ? fum_shape_count(&t->desc.shape) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!isnan(value[i])) value[i] = fum_round_to(t->desc.dtype, (float)value[i]);
}

enum fum_result fum_interp_write(fum_interp *interp, const fum_tensor *tensor, const float *data,
                                 size_t count, struct fum_error *err) {
    if ((int64_t)count != fum_shape_count(&tensor->desc.shape))
        return fum_error_set(err, FUM_ERR_ARG, "%s: has %lld elements, not %zu", tensor->name,
                             (long long)fum_shape_count(&tensor->desc.shape), count);
    double *value = value_of(interp, tensor, err);
    if (!value) return FUM_ERR_NOMEM;
    fum_widen_f32(value, data, count);
    round_value(interp, tensor, value);
    return FUM_OK;
}

// Loads one tensor of the files as the device packs it. `dense` is the shape of its values.
static enum fum_result load_part(const fum_interp *interp, const struct fum_weight *t,
                                 const struct fum_shape *dense, double *value,
                                 struct fum_error *err) {
    struct fum_view view;
    struct fum_why why;
    if (!interp->source || !interp->source->find(interp->source->user, t->name, &view))
        return fum_error_set(err, FUM_ERR_FORMAT, "tensor %s is missing", t->name);
    if (!fum_packing_check(t, &view, &why))
        return fum_error_set(err, FUM_ERR_FORMAT, "tensor %s: %s", t->name, why.text);
    size_t count = (size_t)fum_shape_count(&t->desc.shape);
    float *packed = fum_alloc(count, sizeof *packed);
    if (!packed) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for tensor %s", t->name);
    const struct fum_pack_target to = {
        .data = packed, .type = FUM_F32, .row_elements = fum_shape_channels(&t->desc.shape)};
    enum fum_result result = fum_pack_tensor(t, &view, &to, err);
    if (!result && t->packing->block)
        fum_quantised_read(t->packing, dense, (const uint32_t *)(const void *)packed, value);
    else if (!result)
        fum_widen_f32(value, packed, count);
    fum_free(packed);
    return result;
}

static enum fum_result load_weight(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    double *value = value_of(interp, t, err);
    enum fum_result result = value ? FUM_OK : FUM_ERR_NOMEM;
    const struct fum_weight weight = fum_tensor_weight(t);
    struct fum_weight values = weight;
    values.desc = t->desc;
    for (int i = 0; i < fum_weight_parts(&weight) && !result; i++) {
        const struct fum_weight part = fum_weight_part(&weight, i);
        const struct fum_shape dense = fum_weight_part(&values, i).desc.shape;
        result = load_part(interp, &part, &dense, value, err);
        value += fum_shape_count(&dense);
    }
    return result;
}

// Makes sure that an input of a node has its numbers.
static enum fum_result prepare_input(fum_interp *interp, const fum_tensor *t,
                                     struct fum_error *err) {
    if (interp->values[t->id]) return FUM_OK;
    switch (t->kind) {
    case FUM_TENSOR_PARAMETER:
    case FUM_TENSOR_WEIGHT: return load_weight(interp, t, err);
    case FUM_TENSOR_CONSTANT:
        return fum_interp_write(interp, t, t->data, (size_t)fum_shape_count(&t->desc.shape), err);
    case FUM_TENSOR_STATE: return value_of(interp, t, err) ? FUM_OK : FUM_ERR_NOMEM;
    case FUM_TENSOR_INPUT:
        return fum_error_set(err, FUM_ERR_ARG, "input %s was not written", t->name);
    case FUM_TENSOR_NODE: break;
    }
    return fum_error_set(err, FUM_ERR_ARG, "%s was not computed: run its stage first", t->name);
}

// Runs the reference of an op that updates its inputs, and stores the new contents of each.
static enum fum_result run_update(fum_interp *interp, const fum_tensor *t,
                                  const struct fum_op_call *call, const double *const *in,
                                  struct fum_error *err) {
    size_t total = 0, count = (size_t)fum_shape_count(&t->desc.shape);
    for (int i = 0; i < t->num_inputs; i++)
        if (fum_tensor_updates(t, i)) total += (size_t)fum_shape_count(&t->in[i]->desc.shape);
    double *written = fum_alloc(total, sizeof *written), *next = written;
    if (!written) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to update", t->name);
    t->op->reference(call, in, written);
    for (int i = 0; i < t->num_inputs; i++) {
        if (!fum_tensor_updates(t, i)) continue;
        size_t part = (size_t)fum_shape_count(&t->in[i]->desc.shape);
        round_value(interp, t->in[i], next);
        memcpy(interp->values[fum_tensor_root(t->in[i])->id], next, part * sizeof *next);
        next += part;
    }
    memcpy(interp->values[t->id], written, count * sizeof *written); // input 0 is the first
    fum_free(written);
    return FUM_OK;
}

static enum fum_result run_node(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    const double *in[FUM_MAX_INPUTS] = {0};
    struct fum_op_call call;
    fum_tensor_call(t, &call);
    for (int i = 0; i < t->num_inputs; i++) {
        if (!t->in[i]) continue;
        enum fum_result result = prepare_input(interp, t->in[i], err);
        if (result) return result;
        in[i] = interp->values[t->in[i]->id];
    }
    double *out = value_of(interp, t, err);
    if (!out) return FUM_ERR_NOMEM;
    size_t count = (size_t)fum_shape_count(&t->desc.shape);
    if (t->op->updates) return run_update(interp, t, &call, in, err);
    if (t->op->flags & FUM_OP_ALIAS)
        memcpy(out, in[0], count * sizeof *out);
    else
        t->op->reference(&call, in, out);
    round_value(interp, t, out);
    return FUM_OK;
}

enum fum_result fum_interp_run(fum_interp *interp, enum fum_stage stage, struct fum_error *err) {
    for (int i = 0; i < interp->graph->count; i++) {
        const fum_tensor *t = interp->graph->tensors[i];
        if (t->kind != FUM_TENSOR_NODE || t->stage != stage) continue;
        enum fum_result result = run_node(interp, t, err);
        if (result) return result;
    }
    return FUM_OK;
}

enum fum_result fum_interp_run_all(fum_interp *interp, struct fum_error *err) {
    for (int stage = 0; stage < FUM_STAGE_COUNT; stage++) {
        enum fum_result result = fum_interp_run(interp, (enum fum_stage)stage, err);
        if (result) return result;
    }
    return FUM_OK;
}

const double *fum_interp_read(const fum_interp *interp, const fum_tensor *tensor) {
    return interp->values[tensor->id];
}
