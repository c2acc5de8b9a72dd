// SPDX-License-Identifier: MIT
// The input itself, without a copy. Nothing is differentiated through it: "detach" of PyTorch.
#include "graph/op.h"

#include <string.h>

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    (void)why;
    call->out = call->in[0];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    memcpy(out, in[0], (size_t)fum_shape_count(&call->out.shape) * sizeof *out);
}

const struct fum_op fum_op_stop_gradient = {
    .name = "stop_gradient",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .flags = FUM_OP_ALIAS | FUM_OP_STOPS_GRADIENT,
};
