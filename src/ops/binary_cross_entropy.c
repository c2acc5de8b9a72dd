// SPDX-License-Identifier: MIT
// The cross-entropy of a target y between 0 and 1 and the probability whose logit is l, in nats:
// max(l, 0) - l y + log(1 + e^-|l|).
#include "graph/gradient.h"
#include "ops/lib/binary.h"

enum { LOGIT, TARGET };

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_BINARY_CROSS_ENTROPY, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_BINARY_CROSS_ENTROPY, list);
}

// Adds dl = (sigmoid(l) - y) dout and dy = -l dout, each summed to its shape.
static bool gradient(struct fum_gradient *g) {
    fum_tensor *logit = g->node->in[LOGIT], *target = g->node->in[TARGET];
    if (g->needed[LOGIT]) {
        fum_tensor *p = fum_gradient_add(g, "sigmoid", FUM_INPUTS(logit), NULL);
        fum_tensor *off = fum_gradient_pair(g, "sub", p, target);
        fum_tensor *slope = fum_gradient_pair(g, "mul", off, g->dout);
        g->grad[LOGIT] = fum_gradient_sum_to(g, slope, logit->desc.shape);
    }
    if (g->needed[TARGET]) {
        fum_tensor *slope = fum_gradient_pair(g, "mul", g->dout, logit);
        slope = fum_gradient_sum_to(g, slope, target->desc.shape);
        g->grad[TARGET] = fum_gradient_scale(g, slope, -1);
    }
    return true;
}

const struct fum_op fum_op_binary_cross_entropy = {
    .name = "binary_cross_entropy",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = fum_binary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
