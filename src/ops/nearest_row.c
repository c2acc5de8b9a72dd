// SPDX-License-Identifier: MIT
// The number of the table's row that is nearest by squared distance, the first of equally near
// ones. Inputs x [.., channels] and a table [rows, channels] give i32 [..]. It is the lookup of a
// VQ-VAE (van den Oord, Vinyals and Kavukcuoglu 2017).
#include <math.h>

#include "ops/lib/emit.h"
#include "ops/lib/row_index.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[0], *table = &call->in[1];
    if (!fum_row_index_infer(call, why)) return false;
    if (table->dtype != x->dtype || table->shape.rank != 2 || table->shape.dim[0] < 1 ||
        table->shape.dim[1] != fum_shape_channels(&x->shape))
        return fum_refuse(why, "the table must be [rows, channels], with the channels of x");
    return true;
}

static double square_distance(const double *a, const double *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->in[0].shape), rows = call->in[1].shape.dim[0];
    for (int64_t r = 0; r < fum_shape_count(&call->out.shape); r++) {
        double least = INFINITY;
        out[r] = 0;
        for (int64_t t = 0; t < rows; t++) {
            double off = square_distance(in[0] + r * channels, in[1] + t * channels, channels);
            if (off >= least) continue;
            least = off;
            out[r] = (double)t;
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_row_index_dispatch(call, "nearest_row", list);
}

static double flops(const struct fum_op_call *call) {
    return 3 * (double)fum_shape_count(&call->in[0].shape) * (double)call->in[1].shape.dim[0];
}

const struct fum_op fum_op_nearest_row = {
    .name = "nearest_row",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
