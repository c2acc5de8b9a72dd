// SPDX-License-Identifier: MIT
// Nearest-neighbour upsampling by a whole factor.
#include "graph/fuse/fuse.h"
#include "graph/gradient.h"
#include "ops/lib/resize.h"

static const struct fum_attr_def attrs[] = {{"factor", 2}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t factor;
    return fum_resize_infer(call, &factor, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const int64_t *d = call->out.shape.dim, f = (int64_t)call->attr[0];
    for (int64_t line = 0; line < d[0] * d[1]; line++)
        for (int64_t x = 0; x < d[2]; x++)
            for (int64_t c = 0; c < d[3]; c++)
                *out++ = in[0][(line / f * (d[2] / f) + x / f) * d[3] + c];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_resize_dispatch(call, false, list);
}

// Adds dx, the sum over each pixel's copies: over the lines first, then over the columns.
static bool gradient(struct fum_gradient *g) {
    const int64_t *d = g->node->in[0]->desc.shape.dim, f = (int64_t)g->node->attr[0];
    struct fum_shape lines = {4, {d[0] * d[1], f, d[2] * f, d[3]}}, columns;
    fum_tensor *sum = fum_gradient_reshape(g, g->dout, lines);
    lines.dim[1] = 1;
    sum = fum_gradient_sum_to(g, sum, lines);
    columns = (struct fum_shape){3, {d[0] * d[1] * d[2], f, d[3]}};
    sum = fum_gradient_reshape(g, sum, columns);
    columns.dim[1] = 1;
    sum = fum_gradient_sum_to(g, sum, columns);
    g->grad[0] = fum_gradient_reshape(g, sum, g->node->in[0]->desc.shape);
    return true;
}

static bool doubles(const struct fum_op_call *call) {
    return call->attr[0] == 2;
}

const struct fum_op fum_op_upsample = {
    .name = "upsample",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .fusion = &(const struct fum_op_fusion){.doubles = doubles},
};
