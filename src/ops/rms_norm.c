// SPDX-License-Identifier: MIT
// RMS norm over the innermost dimension: Zhang and Sennrich (2019). Inputs x, gamma.
#include <math.h>

#include "graph/gradient.h"
#include "ops/lib/rowwise.h"

static const struct fum_attr_def attrs[] = {{"eps", 1e-6}, {NULL, 0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    return fum_rowwise_infer(call, 1, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), n = fum_shape_channels(&call->out.shape);
    for (int64_t r = 0; r < rows; r++) {
        const double *x = in[0] + r * n;
        double squares = 0;
        for (int64_t i = 0; i < n; i++) squares += x[i] * x[i];
        double inverse = 1 / sqrt(squares / (double)n + call->attr[0]);
        for (int64_t i = 0; i < n; i++) out[r * n + i] = x[i] * inverse * in[1][i];
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_rowwise r = {.shader = "rms_norm", .num_params = 1, .eps = (float)call->attr[0]};
    return fum_rowwise_dispatch(call, &r, list);
}

static bool gradient(struct fum_gradient *g) {
    const struct fum_attr eps[] = {{"eps", g->node->attr[0]}, {0}},
                          uncentred[] = {eps[0], {"centred", 0}, {0}};
    fum_tensor *x = g->node->in[0], *gamma = g->node->in[1];
    if (g->needed[0]) {
        fum_tensor *dy = fum_gradient_add(g, "mul", FUM_INPUTS(g->dout, gamma), NULL);
        g->grad[0] = fum_gradient_add(g, "norm_gradient", FUM_INPUTS(x, dy), uncentred);
    }
    if (g->needed[1]) {
        fum_tensor *ones = fum_gradient_fill(g, 1, gamma->desc.shape);
        fum_tensor *normal = fum_gradient_add(g, "rms_norm", FUM_INPUTS(x, ones), eps);
        fum_tensor *product = fum_gradient_add(g, "mul", FUM_INPUTS(g->dout, normal), NULL);
        g->grad[1] = fum_gradient_sum_to(g, product, gamma->desc.shape);
    }
    return true;
}

const struct fum_op fum_op_rms_norm = {
    .name = "rms_norm",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
