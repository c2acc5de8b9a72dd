// SPDX-License-Identifier: MIT
// The number of the largest element along the last dimension, the first of equal ones: [..,
// classes] gives i32 [..].
#include "ops/lib/row_index.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t classes = fum_shape_channels(&call->in[0].shape);
    for (int64_t r = 0; r < fum_shape_count(&call->out.shape); r++) {
        const double *x = in[0] + r * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++) {
            if (x[c] > x[best]) best = c;
        }
        out[r] = (double)best;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_row_index_dispatch(call, "top_class", list);
}

const struct fum_op fum_op_top_class = {
    .name = "top_class",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_row_index_infer,
    .reference = reference,
    .dispatch = dispatch,
};
