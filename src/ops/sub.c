// SPDX-License-Identifier: MIT
// a - b.
#include "graph/gradient.h"
#include "ops/lib/binary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_SUB, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_SUB, list);
}

static bool gradient(struct fum_gradient *g) {
    if (g->needed[0]) g->grad[0] = fum_gradient_sum_to(g, g->dout, g->node->in[0]->desc.shape);
    if (!g->needed[1]) return true;
    fum_tensor *sum = fum_gradient_sum_to(g, g->dout, g->node->in[1]->desc.shape);
    g->grad[1] = fum_gradient_scale(g, sum, -1);
    return true;
}

const struct fum_op fum_op_sub = {
    .name = "sub",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = fum_binary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
