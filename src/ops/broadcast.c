// SPDX-License-Identifier: MIT
// Repeats the input along dimensions of size 1, or missing ones before the first, up to the shape
// of the settings rank, d0, ….
#include "graph/gradient.h"
#include "ops/lib/texels.h"
#include "ops/lib/shape_attrs.h"
#include "shaders/broadcast.pc.h"

static const struct fum_attr_def attrs[] = {FUM_SHAPE_ATTR_DEFS, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char left[96], right[96];
    call->out = call->in[0];
    if (!fum_is_storage(call->in[0].dtype))
        return fum_refuse(why, "the input is %s; it must be f32, f16 or bf16",
                          fum_dtype_name(call->in[0].dtype));
    if (!fum_shape_from_attrs(call->attr, &call->out.shape, why)) return false;
    if (fum_shape_broadcasts(&call->in[0].shape, &call->out.shape)) return true;
    return fum_refuse(why, "%s does not broadcast to %s",
                      fum_shape_text(&call->in[0].shape, left, sizeof left),
                      fum_shape_text(&call->out.shape, right, sizeof right));
}

// Rows of the input per step of the output's dimensions before the channels; 0: repeated.
static void row_strides(const struct fum_op_call *call, int64_t stride[3]) {
    int64_t step = 1;
    for (int i = 2; i >= 0; i--) {
        int64_t dim = fum_dim4(&call->in[0].shape, i);
        stride[i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t d1 = fum_dim4(&call->out.shape, 1), d2 = fum_dim4(&call->out.shape, 2), stride[3];
    int64_t from = fum_shape_channels(&call->in[0].shape),
            to = fum_shape_channels(&call->out.shape);
    row_strides(call, stride);
    for (int64_t row = 0; row < fum_shape_rows(&call->out.shape); row++) {
        const double *x = in[0] + from * (row / d2 / d1 * stride[0] + row / d2 % d1 * stride[1] +
                                          row % d2 * stride[2]);
        for (int64_t c = 0; c < to; c++) *out++ = x[from == 1 ? 0 : c];
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_shape *x = &call->in[0].shape, *y = &call->out.shape;
    uint64_t quads = fum_desc_quads(&call->out);
    int64_t stride[3];
    if (!quads) return true;
    row_strides(call, stride);
    struct fum_dispatch *d = fum_emit_quads_reading(list, "broadcast", call->out.dtype, quads, 1);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    fum_emit_spec(d, fum_shape_channels(x) != fum_shape_channels(y));
    struct fum_broadcast_push push = {.quads = (uint32_t)quads,
                                      .y_row_quads = (uint32_t)fum_shape_row_quads(y),
                                      .x_row_quads = (uint32_t)fum_shape_row_quads(x),
                                      .d1 = (uint32_t)fum_dim4(y, 1),
                                      .d2 = (uint32_t)fum_dim4(y, 2)};
    for (int i = 0; i < 3; i++) push.stride[i] = (uint32_t)stride[i];
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool gradient(struct fum_gradient *g) {
    g->grad[0] = fum_gradient_sum_to(g, g->dout, g->node->in[0]->desc.shape);
    return true;
}

const struct fum_op fum_op_broadcast = {
    .name = "broadcast",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
