// SPDX-License-Identifier: MIT
// The gradient of cross_entropy by its logits. Inputs logits [.., classes], labels i32 [..] and dy
// [..]; the result is (softmax(logits) - 1 at the label) dy.
#include <math.h>

#include "ops/lib/cross_entropy.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *dy = &call->in[FUM_CROSS_ENTROPY_DY];
    if (!fum_cross_entropy_check(call, why)) return false;
    call->out = call->in[FUM_CROSS_ENTROPY_LOGITS];
    if (dy->dtype == call->out.dtype &&
        fum_shape_same(&dy->shape, &call->in[FUM_CROSS_ENTROPY_LABEL].shape))
        return true;
    return fum_refuse(why, "dy must have the shape of the labels and the type of the logits");
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t classes = fum_shape_channels(&call->out.shape);
    for (int64_t r = 0; r < fum_shape_rows(&call->out.shape); r++) {
        const double *x = in[FUM_CROSS_ENTROPY_LOGITS] + r * classes;
        int64_t label = fum_cross_entropy_label(call, in[FUM_CROSS_ENTROPY_LABEL], r);
        double log_sum = fum_cross_entropy_log_sum(x, classes);
        for (int64_t i = 0; i < classes; i++)
            *out++ = (exp(x[i] - log_sum) - (i == label)) * in[FUM_CROSS_ENTROPY_DY][r];
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_cross_entropy_dispatch(call, "cross_entropy_gradient",
                                      (uint64_t)fum_shape_rows(&call->out.shape), list);
}

const struct fum_op fum_op_cross_entropy_gradient = {
    .name = "cross_entropy_gradient",
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
