// SPDX-License-Identifier: MIT
// x held between min and max.
#include "ops/lib/scalar.h"
#include "ops/lib/unary.h"

static const struct fum_attr_def attrs[] = {{"min", 0}, {"max", 1}, {0}};

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    double least = (float)call->attr[0], most = (float)call->attr[1];
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        out[i] = in[0][i]; // NaN stays NaN
        if (in[0][i] > most) out[i] = most;
        if (in[0][i] < least) out[i] = least;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_scalar_dispatch(call, true, list);
}

static bool gradient(struct fum_gradient *g) {
    const struct fum_attr bounds[] = {{"min", g->node->attr[0]}, {"max", g->node->attr[1]}, {0}};
    fum_tensor *in[] = {g->node->in[0], g->dout};
    g->grad[0] = fum_gradient_add(g, "unary_gradient", (struct fum_inputs){in, 2}, bounds);
    return true;
}

const struct fum_op fum_op_clamp = {
    .name = "clamp",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_unary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
