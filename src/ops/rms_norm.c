// SPDX-License-Identifier: MIT
// RMS norm over the innermost dimension: Zhang and Sennrich (2019). Inputs x, gamma.
#include <math.h>

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

const struct fum_op fum_op_rms_norm = {
    .name = "rms_norm",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
