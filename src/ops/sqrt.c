// SPDX-License-Identifier: MIT
// The square root.
#include "ops/lib/unary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_unary_reference(call, FUM_ACT_SQRT, in[0], out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_unary_dispatch(call, FUM_ACT_SQRT, list);
}

static bool gradient(struct fum_gradient *g) {
    return fum_unary_gradient(g, FUM_ACT_SQRT);
}

const struct fum_op fum_op_sqrt = {
    .name = "sqrt",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_unary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
