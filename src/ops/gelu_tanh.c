// SPDX-License-Identifier: MIT
// GELU by its tanh approximation: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).
#include "graph/fuse/fuse.h"
#include "ops/lib/unary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_unary_reference(call, FUM_ACT_GELU_TANH, in[0], out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_unary_dispatch(call, FUM_ACT_GELU_TANH, list);
}

static bool gradient(struct fum_gradient *g) {
    return fum_unary_gradient(g, FUM_ACT_GELU_TANH);
}

const struct fum_op fum_op_gelu_tanh = {
    .name = "gelu_tanh",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_unary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
    .fusion = &(const struct fum_op_fusion){.activation = FUM_ACT_GELU_TANH},
};
