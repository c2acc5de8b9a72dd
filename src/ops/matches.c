// SPDX-License-Identifier: MIT
// 1 where two tensors of integers agree, else 0, in f32: i32 [..] and i32 [..] give f32 [..].
#include "ops/lib/emit.h"
#include "ops/lib/flat.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (call->in[0].dtype != FUM_I32 || call->in[1].dtype != FUM_I32 ||
        !fum_shape_same(&call->in[0].shape, &call->in[1].shape))
        return fum_refuse(why, "both inputs must be i32 of one shape");
    call->out = (struct fum_desc){call->in[0].shape, FUM_F32};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) out[i] = in[0][i] == in[1][i];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_flat flat = {.shader = "matches", .inputs = 2};
    return fum_flat_dispatch(call, &flat, list);
}

const struct fum_op fum_op_matches = {
    .name = "matches",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
