// SPDX-License-Identifier: MIT
#include "graph/interp.h"

#include "base/dtype.h"
#include "base/error.h"
#include "weights/pack.h"

#include <string.h>

struct fum_interp {
    const fum_graph *graph;
    const struct fum_weight_source *source;
    bool round_storage;
    float **values; // by tensor id; NULL until set or computed
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

// The value's array, made (zeroed) when it is not there yet.
static float *value_of(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    float **value = &interp->values[t->id];
    size_t count = (size_t)fum_shape_count(&t->desc.shape);
    if (!*value) *value = fum_calloc(count, sizeof **value);
    if (!*value) fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu numbers", t->name, count);
    return *value;
}

enum fum_result fum_interp_write(fum_interp *interp, const fum_tensor *tensor, const float *data,
                                 size_t count, struct fum_error *err) {
    if ((int64_t)count != fum_shape_count(&tensor->desc.shape))
        return fum_error_set(err, FUM_ERR_ARG, "%s: has %lld elements, not %zu", tensor->name,
                             (long long)fum_shape_count(&tensor->desc.shape), count);
    float *value = value_of(interp, tensor, err);
    if (!value) return FUM_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        value[i] = interp->round_storage ? fum_round_to(tensor->desc.dtype, data[i]) : data[i];
    return FUM_OK;
}

static enum fum_result load_part(const fum_interp *interp, const struct fum_weight *t, float *value,
                                 struct fum_error *err) {
    struct fum_view view;
    char why[256];
    if (!interp->source || !interp->source->find(interp->source->user, t->name, &view))
        return fum_error_set(err, FUM_ERR_FORMAT, "tensor %s is missing", t->name);
    if (!fum_pack_check(&view, t->pack, &t->desc.shape, why, sizeof why))
        return fum_error_set(err, FUM_ERR_FORMAT, "tensor %s: %s", t->name, why);
    struct fum_pack_target to = {value, FUM_F32, fum_shape_channels(&t->desc.shape)};
    return fum_pack_tensor(&view, t->pack, &t->desc.shape, &to, err);
}

static enum fum_result load_weight(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    float *value = value_of(interp, t, err);
    enum fum_result result = value ? FUM_OK : FUM_ERR_NOMEM;
    const struct fum_weight weight = fum_tensor_weight(t);
    for (int i = 0; i < fum_weight_parts(&weight) && !result; i++) {
        const struct fum_weight part = fum_weight_part(&weight, i);
        result = load_part(interp, &part, value, err);
        value += fum_shape_count(&part.desc.shape);
    }
    return result;
}

// Makes sure that an input of a node has its numbers.
static enum fum_result prepare(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    if (interp->values[t->id]) return FUM_OK;
    switch (t->kind) {
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

static enum fum_result run_node(fum_interp *interp, const fum_tensor *t, struct fum_error *err) {
    const float *in[FUM_MAX_INPUTS] = {0};
    struct fum_op_call call;
    fum_tensor_call(t, &call);
    for (int i = 0; i < t->num_inputs; i++) {
        if (!t->in[i]) continue;
        enum fum_result result = prepare(interp, t->in[i], err);
        if (result) return result;
        in[i] = interp->values[t->in[i]->id];
    }
    float *out = value_of(interp, t, err);
    if (!out) return FUM_ERR_NOMEM;
    size_t count = (size_t)fum_shape_count(&t->desc.shape);
    if (t->op->view)
        memcpy(out, in[0], count * sizeof *out);
    else
        t->op->reference(&call, in, out);
    if (interp->round_storage)
        for (size_t i = 0; i < count; i++) out[i] = fum_round_to(t->desc.dtype, out[i]);
    if (t->op->updates) memcpy(interp->values[fum_tensor_root(t)->id], out, count * sizeof *out);
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

const float *fum_interp_read(const fum_interp *interp, const fum_tensor *tensor) {
    return interp->values[tensor->id];
}
