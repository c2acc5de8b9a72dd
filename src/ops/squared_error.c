// SPDX-License-Identifier: MIT
// (a - b)^2.
#include "graph/gradient.h"
#include "ops/lib/binary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_SQUARED_ERROR, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_SQUARED_ERROR, list);
}

// Adds da = 2 (a - b) dy and db = -da, each summed to its shape.
static bool gradient(struct fum_gradient *g) {
    fum_tensor *const *in = g->node->in;
    fum_tensor *off = fum_gradient_pair(g, "sub", in[0], in[1]);
    fum_tensor *slope = fum_gradient_pair(g, "mul", off, g->dout);
    for (int i = 0; i < 2; i++) {
        if (!g->needed[i]) continue;
        fum_tensor *sum = fum_gradient_sum_to(g, slope, in[i]->desc.shape);
        g->grad[i] = fum_gradient_scale(g, sum, i ? -2 : 2);
    }
    return true;
}

const struct fum_op fum_op_squared_error = {
    .name = "squared_error",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = fum_binary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
