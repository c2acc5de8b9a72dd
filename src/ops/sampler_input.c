// SPDX-License-Identifier: MIT
// Scales the current point for the model: c_in × history[0], `copies` times (2 with guidance), in
// the storage type. Inputs: state, coefs, counter (sampler.h).
#include "ops/lib/emit.h"
#include "ops/lib/sampler.h"
#include "shaders/sampler_input.pc.h"

enum { STATE, COEFS, COUNTER };
enum { HISTORY, COPIES, DTYPE };
static const struct fum_attr_def attrs[] = {
    [HISTORY] = {"history", 1}, [COPIES] = {"copies", 1}, [DTYPE] = {"dtype", -1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_sampler_check(call, (struct fum_sampler_inputs){STATE, COEFS, COUNTER}, 1, why))
        return false;
    if (!fum_attr_storage(call->attr[DTYPE], &call->out.dtype, why)) return false;
    call->out.shape = fum_sampler_point(call).shape;
    call->out.shape.dim[0] *= (int64_t)call->attr[COPIES];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_desc point = fum_sampler_point(call);
    int64_t n = fum_shape_count(&point.shape),
            row = fum_sampler_row(&call->in[COEFS], in[COUNTER][0]);
    double c_in = in[COEFS][row * call->in[COEFS].shape.dim[1] + FUM_COEF_INPUT];
    for (int64_t k = 0; k < (int64_t)call->attr[COPIES]; k++)
        for (int64_t i = 0; i < n; i++) *out++ = c_in * in[STATE][i];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_desc point = fum_sampler_point(call);
    const struct fum_desc *coefs = &call->in[COEFS];
    uint64_t quads = fum_desc_quads(&point);
    if (!quads) return true;
    struct fum_dispatch *d = fum_emit(list, "sampler_input", call->out.dtype, quads);
    if (!d || !fum_emit_whole(list, d, STATE, &point)) return false;
    d->bind[0].bytes = fum_desc_bytes(&point); // history[0] alone
    if (!fum_emit_whole(list, d, COEFS, coefs)) return false;
    fum_emit_operand(d, COUNTER);
    if (!fum_emit_whole(list, d, FUM_OUT, &call->out)) return false;
    fum_emit_spec(d, (uint32_t)call->attr[COPIES]);
    const struct fum_sampler_input_push push = {
        .quads = (uint32_t)quads,
        .coef_row = (uint32_t)fum_shape_row_quads(&coefs->shape) * 4,
        .last = (int32_t)(coefs->shape.dim[0] - 1)};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_sampler_input = {
    .name = "sampler_input",
    .attrs = attrs,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
