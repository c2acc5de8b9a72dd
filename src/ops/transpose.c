// SPDX-License-Identifier: MIT
// Permutes dimensions: dimension i of the output is dimension p_i of the input. Nothing moves by
// default.
#include "graph/gradient.h"
#include "ops/lib/emit.h"
#include "shaders/transpose.pc.h"

static const struct fum_attr_def attrs[] = {{"p0", 0}, {"p1", 1}, {"p2", 2}, {"p3", 3}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *shape = &call->in[0].shape;
    unsigned seen = 0;
    call->out = call->in[0];
    for (int i = 0; i < shape->rank; i++) {
        int64_t p;
        if (!fum_attr_int(call->attr[i], (struct fum_attr_range){attrs[i].name, 0, shape->rank - 1},
                          &p, why))
            return false;
        if (seen >> p & 1) return fum_refuse(why, "dimension %lld is named twice", (long long)p);
        seen |= 1u << p;
        call->out.shape.dim[i] = shape->dim[p];
    }
    return true;
}

// Computes the output as four dimensions and, for each, how many input elements one step is when a
// row has `row` of them.
static void strides(const struct fum_op_call *call, int64_t row, int64_t dim[4],
                    int64_t stride[4]) {
    const struct fum_shape *in = &call->in[0].shape;
    int64_t of[4], step = 1;
    int lead = 4 - in->rank;
    for (int i = in->rank - 1; i >= 0; i--) {
        of[i] = step;
        step *= i == in->rank - 1 ? row : in->dim[i];
    }
    for (int i = 0; i < 4; i++) {
        dim[i] = i < lead ? 1 : call->out.shape.dim[i - lead];
        stride[i] = i < lead ? 0 : of[(int)call->attr[i - lead]];
    }
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t dim[4], s[4], i = 0;
    strides(call, fum_shape_channels(&call->in[0].shape), dim, s);
    for (int64_t a = 0; a < dim[0]; a++)
        for (int64_t b = 0; b < dim[1]; b++)
            for (int64_t c = 0; c < dim[2]; c++)
                for (int64_t d = 0; d < dim[3]; d++)
                    out[i++] = in[0][a * s[0] + b * s[1] + c * s[2] + d * s[3]];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->out);
    int64_t dim[4], stride[4];
    if (!quads) return true;
    strides(call, 4 * fum_shape_row_quads(&call->in[0].shape), dim, stride);
    struct fum_dispatch *d =
        fum_emit_quads(list, "transpose", fum_raw_variant(call->out.dtype), quads);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    fum_emit_spec(d, stride[3] == 1);
    struct fum_transpose_push push = {.quads = (uint32_t)quads,
                                      .row_quads = (uint32_t)fum_shape_row_quads(&call->out.shape),
                                      .channels = (uint32_t)dim[3],
                                      .d1 = (uint32_t)dim[1],
                                      .d2 = (uint32_t)dim[2]};
    for (int i = 0; i < 4; i++) push.stride[i] = (uint32_t)stride[i];
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool gradient(struct fum_gradient *g) {
    struct fum_attr inverse[] = {{"p0", 0}, {"p1", 1}, {"p2", 2}, {"p3", 3}, {0}};
    for (int i = 0; i < g->node->desc.shape.rank; i++) inverse[(int)g->node->attr[i]].value = i;
    g->grad[0] = fum_gradient_add(g, "transpose", FUM_INPUTS(g->dout), inverse);
    return true;
}

const struct fum_op fum_op_transpose = {
    .name = "transpose",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
