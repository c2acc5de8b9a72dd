// SPDX-License-Identifier: MIT
// KL(N(mean1, e^v1) || N(mean2, e^v2)) for each element, in nats. Inputs are mean1, v1, mean2 and
// v2, the logarithms of variances; an absent mean2 or v2 is 0. All have one shape.
#include <math.h>

#include "graph/gradient.h"
#include "ops/lib/flat.h"

enum { MEAN1, V1, MEAN2, V2 };

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        double v2 = call->has[V2] ? in[V2][i] : 0, v = in[V1][i] - v2;
        double off = in[MEAN1][i] - (call->has[MEAN2] ? in[MEAN2][i] : 0);
        out[i] = 0.5 * (expm1(v) - v + off * off * exp(-v2));
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_flat flat = {.shader = "gaussian_kl",
                                  .inputs = 4,
                                  .num_specs = 2,
                                  .specs = {call->has[MEAN2], call->has[V2]}};
    return fum_flat_dispatch(call, &flat, list);
}

// Adds the slopes w and -w by the means, where w = (mean1 - mean2) e^-v2. That by v1 is r / 2,
// where r = e^(v1 - v2) - 1, and that by v2 is -(r + (mean1 - mean2) w) / 2.
static bool gradient(struct fum_gradient *g) {
    fum_tensor *const *in = g->node->in;
    fum_tensor *off = in[MEAN2] ? fum_gradient_pair(g, "sub", in[MEAN1], in[MEAN2]) : in[MEAN1];
    fum_tensor *v = in[V2] ? fum_gradient_pair(g, "sub", in[V1], in[V2]) : in[V1], *w = off;
    fum_tensor *ratio = fum_gradient_add(g, "expm1", FUM_INPUTS(v), NULL);
    if (in[V2]) {
        fum_tensor *minus = fum_gradient_scale(g, in[V2], -1);
        w = fum_gradient_pair(g, "mul", off, fum_gradient_add(g, "exp", FUM_INPUTS(minus), NULL));
    }
    fum_tensor *slope = fum_gradient_pair(g, "mul", w, g->dout);
    if (g->needed[MEAN1]) g->grad[MEAN1] = slope;
    if (g->needed[MEAN2]) g->grad[MEAN2] = fum_gradient_scale(g, slope, -1);
    if (g->needed[V1])
        g->grad[V1] = fum_gradient_scale(g, fum_gradient_pair(g, "mul", ratio, g->dout), 0.5);
    if (!g->needed[V2]) return true;
    fum_tensor *sum = fum_gradient_pair(g, "add", ratio, fum_gradient_pair(g, "mul", off, w));
    g->grad[V2] = fum_gradient_scale(g, fum_gradient_pair(g, "mul", sum, g->dout), -0.5);
    return true;
}

const struct fum_op fum_op_gaussian_kl = {
    .name = "gaussian_kl",
    .min_inputs = 2,
    .max_inputs = 4,
    .infer = fum_flat_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
