// SPDX-License-Identifier: MIT
// a + b.
#include "graph/fuse/fuse.h"
#include "graph/gradient.h"
#include "ops/lib/binary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_ADD, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_ADD, list);
}

static bool gradient(struct fum_gradient *g) {
    for (int i = 0; i < 2; i++)
        if (g->needed[i]) g->grad[i] = fum_gradient_sum_to(g, g->dout, g->node->in[i]->desc.shape);
    return true;
}

const struct fum_op fum_op_add = {
    .name = "add",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = fum_binary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
    .fusion = &(const struct fum_op_fusion){.adds = true},
};
