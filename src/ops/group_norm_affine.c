// SPDX-License-Identifier: MIT
// Computes what a group norm comes to for every channel: y = x out[b, 0, c] + out[b, 1, c]. out is
// f32 [batch, 2, channels], from x [batch, .., channels], gamma and beta. It is made for ops that
// normalise their input; these apply the setting "act".
#include <math.h>

#include "ops/lib/group_norm_factors.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc joined = fum_group_norm_x(call);
    const struct fum_shape *x = &joined.shape;
    if (!fum_group_norm_check(call, why)) return false;
    call->out = (struct fum_desc){{3, {x->dim[0], 2, fum_shape_channels(x)}}, FUM_F32};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t c = fum_shape_channels(&call->out.shape),
            groups = (int64_t)call->attr[FUM_GROUP_NORM_GROUPS];
    for (int64_t b = 0; b < call->out.shape.dim[0]; b++) {
        for (int64_t i = 0; i < c; i++) {
            struct fum_moments m = fum_group_norm_moments(call, in, b, i / (c / groups));
            double factor = in[1][i] / sqrt(m.variance + call->attr[FUM_GROUP_NORM_EPS]);
            out[2 * b * c + i] = factor;
            out[(2 * b + 1) * c + i] = in[2][i] - m.mean * factor;
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_group_norm g;
    if (fum_shape_count(&call->in[0].shape) == 0) return true;
    if (!fum_group_norm_plan(call, list->info, &g, &list->why)) return false;
    list->scratch_bytes = g.stats;
    struct fum_dispatch_bind to = {.operand = FUM_OUT, .write = true};
    return fum_group_norm_factors(call, &g, &to, list);
}

static double flops(const struct fum_op_call *call) {
    return 4.0 * (double)fum_shape_count(&call->in[0].shape);
}

const struct fum_op fum_op_group_norm_affine = {
    .name = "group_norm_affine",
    .attrs = fum_group_norm_attrs,
    .min_inputs = 3,
    .max_inputs = 4,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
