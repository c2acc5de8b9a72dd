// SPDX-License-Identifier: MIT
// a b, element by element.
#include "graph/gradient.h"
#include "ops/lib/binary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_MUL, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_MUL, list);
}

static bool gradient(struct fum_gradient *g) {
    for (int i = 0; i < 2; i++) {
        if (!g->needed[i]) continue;
        fum_tensor *in[] = {g->dout, g->node->in[1 - i]};
        fum_tensor *product = fum_gradient_add(g, "mul", (struct fum_inputs){in, 2}, NULL);
        g->grad[i] = fum_gradient_sum_to(g, product, g->node->in[i]->desc.shape);
    }
    return true;
}

const struct fum_op fum_op_mul = {
    .name = "mul",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = fum_binary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
