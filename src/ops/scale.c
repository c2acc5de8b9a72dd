// SPDX-License-Identifier: MIT
// x mul + add, with two fixed numbers.
#include "ops/lib/scalar.h"
#include "ops/lib/unary.h"

static const struct fum_attr_def attrs[] = {{"mul", 1}, {"add", 0}, {0}};

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++)
        out[i] = in[0][i] * (float)call->attr[0] + (float)call->attr[1];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_scalar_dispatch(call, false, list);
}

static bool gradient(struct fum_gradient *g) {
    g->grad[0] = fum_gradient_scale(g, g->dout, g->node->attr[0]);
    return true;
}

const struct fum_op fum_op_scale = {
    .name = "scale",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_unary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
