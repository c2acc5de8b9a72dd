// SPDX-License-Identifier: MIT
// PReLU: x where x > 0, else slope x; slope has one value per channel or one for all. He et al.
// (2015).
#include "graph/gradient.h"
#include "ops/lib/binary.h"
#include "ops/lib/emit.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *slope = &call->in[1].shape;
    int64_t channels = fum_shape_channels(&call->in[0].shape);
    if (fum_shape_rows(slope) != 1 ||
        (fum_shape_channels(slope) != 1 && fum_shape_channels(slope) != channels))
        return fum_refuse(why, "the slope has %lld rows of %lld; expected one of 1 or %lld",
                          (long long)fum_shape_rows(slope), (long long)fum_shape_channels(slope),
                          (long long)channels);
    return fum_binary_infer(call, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_PRELU, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_PRELU, list);
}

// Splits dy into what positive x pass on and the rest: dx = positive + slope rest.
static bool gradient(struct fum_gradient *g) {
    const struct fum_attr relu[] = {{"act", FUM_ACT_RELU}, {0}};
    fum_tensor *x = g->node->in[0], *slope = g->node->in[1];
    fum_tensor *positive = fum_gradient_add(g, "unary_gradient", FUM_INPUTS(x, g->dout), relu);
    fum_tensor *rest = fum_gradient_add(g, "sub", FUM_INPUTS(g->dout, positive), NULL);
    if (g->needed[0]) {
        fum_tensor *scaled = fum_gradient_add(g, "mul", FUM_INPUTS(rest, slope), NULL);
        g->grad[0] = fum_gradient_add(g, "add", FUM_INPUTS(positive, scaled), NULL);
    }
    if (g->needed[1]) {
        fum_tensor *product = fum_gradient_add(g, "mul", FUM_INPUTS(rest, x), NULL);
        g->grad[1] = fum_gradient_sum_to(g, product, slope->desc.shape);
    }
    return true;
}

const struct fum_op fum_op_prelu = {
    .name = "prelu",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
