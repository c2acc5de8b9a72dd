// SPDX-License-Identifier: MIT
// Softmax over the innermost dimension.
#include <math.h>

#include "graph/gradient.h"
#include "ops/lib/rowwise.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    return fum_rowwise_infer(call, 0, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), n = fum_shape_channels(&call->out.shape);
    for (int64_t r = 0; r < rows; r++) {
        const double *x = in[0] + r * n;
        double top = -INFINITY, sum = 0;
        // Not fmax: gcc 12 for arm64 stops with an internal error when it vectorises a maximum over
        // floats.
        for (int64_t i = 0; i < n; i++) {
            if (x[i] > top) top = x[i];
        }
        for (int64_t i = 0; i < n; i++) sum += exp(x[i] - top);
        for (int64_t i = 0; i < n; i++) out[r * n + i] = exp(x[i] - top) / sum;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_rowwise r = {.shader = "softmax"};
    return fum_rowwise_dispatch(call, &r, list);
}

// Adds dx = y (dy - sum of y dy over the row).
static bool gradient(struct fum_gradient *g) {
    fum_tensor *y = fum_gradient_output(g);
    struct fum_shape row = g->node->desc.shape;
    row.dim[row.rank - 1] = 1;
    fum_tensor *product = fum_gradient_add(g, "mul", FUM_INPUTS(y, g->dout), NULL);
    fum_tensor *sum = fum_gradient_sum_to(g, product, row);
    fum_tensor *spread = fum_gradient_broadcast(g, sum, g->node->desc.shape);
    fum_tensor *rest = fum_gradient_add(g, "sub", FUM_INPUTS(g->dout, spread), NULL);
    g->grad[0] = fum_gradient_add(g, "mul", FUM_INPUTS(y, rest), NULL);
    return true;
}

const struct fum_op fum_op_softmax = {
    .name = "softmax",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
