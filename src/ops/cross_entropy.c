// SPDX-License-Identifier: MIT
// The cross-entropy of softmax(logits) and a label, in nats: logits [.., classes] and labels i32
// [..] give [..]. A label outside the classes counts for the nearest one.
#include "graph/gradient.h"
#include "ops/lib/cross_entropy.h"
#include "ops/lib/emit.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_cross_entropy_check(call, why)) return false;
    call->out = (struct fum_desc){call->in[FUM_CROSS_ENTROPY_LABEL].shape,
                                  call->in[FUM_CROSS_ENTROPY_LOGITS].dtype};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t classes = fum_shape_channels(&call->in[FUM_CROSS_ENTROPY_LOGITS].shape);
    for (int64_t r = 0; r < fum_shape_count(&call->out.shape); r++) {
        const double *x = in[FUM_CROSS_ENTROPY_LOGITS] + r * classes;
        int64_t label = fum_cross_entropy_label(call, in[FUM_CROSS_ENTROPY_LABEL], r);
        out[r] = fum_cross_entropy_log_sum(x, classes) - x[label];
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_cross_entropy_dispatch(call, "cross_entropy", fum_desc_quads(&call->out), list);
}

static bool gradient(struct fum_gradient *g) {
    fum_tensor *const *in = g->node->in;
    g->grad[0] =
        fum_gradient_add(g, "cross_entropy_gradient", FUM_INPUTS(in[0], in[1], g->dout), NULL);
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 3 * (double)fum_shape_count(&call->in[FUM_CROSS_ENTROPY_LOGITS].shape);
}

const struct fum_op fum_op_cross_entropy = {
    .name = "cross_entropy",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
};
