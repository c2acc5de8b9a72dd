// SPDX-License-Identifier: MIT
// PReLU: x where x > 0, else slope x; slope has one value per channel or one for all. He et al.
// (2015).
#include "ops/lib/binary.h"
#include "ops/lib/emit.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *slope = &call->in[1].shape;
    int64_t channels = fum_shape_channels(&call->in[0].shape);
    if (fum_shape_rows(slope) != 1 ||
        (fum_shape_channels(slope) != 1 && fum_shape_channels(slope) != channels))
        return fum_refuse(why, "the slope has %lld rows of %lld; expected one of 1 or %lld",
                          (long long)fum_shape_rows(slope), (long long)fum_shape_channels(slope),
                          (long long)channels);
    return fum_binary_infer(call, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_PRELU, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_PRELU, list);
}

const struct fum_op fum_op_prelu = {
    .name = "prelu",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flags = FUM_OP_IN_PLACE,
};
