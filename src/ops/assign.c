// SPDX-License-Identifier: MIT
// Writes input 1 over a state or parameter, input 0, of the same shape and type.
#include "ops/lib/copy.h"
#include "ops/lib/emit.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (call->in[0].dtype != call->in[1].dtype ||
        !fum_shape_same(&call->in[0].shape, &call->in[1].shape))
        return fum_refuse(why, "both inputs must have one shape and type");
    call->out = call->in[0];
    return true;
}

static struct fum_copy whole(const struct fum_op_call *call) {
    return (struct fum_copy){.operand = 1,
                             .src = call->in[1],
                             .dst = call->in[0],
                             .runs = 1,
                             .run = fum_shape_rows(&call->in[0].shape),
                             .channels = fum_shape_channels(&call->in[0].shape)};
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_copy copy = whole(call);
    fum_copy_reference(&copy, in[1], out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_copy copy = whole(call);
    return fum_copy_emit(list, &copy);
}

const struct fum_op fum_op_assign = {
    .name = "assign",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
