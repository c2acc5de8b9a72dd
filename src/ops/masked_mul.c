// SPDX-License-Identifier: MIT
// a b, and 0 wherever b is 0, whatever a holds there. So b switches off an operand that was not
// computed (fum_graph_set_gate).
#include "ops/lib/binary.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_binary_reference(call, FUM_BINARY_MASKED_MUL, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_binary_dispatch(call, FUM_BINARY_MASKED_MUL, list);
}

const struct fum_op fum_op_masked_mul = {
    .name = "masked_mul",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = fum_binary_infer,
    .reference = reference,
    .dispatch = dispatch,
    .flags = FUM_OP_IN_PLACE | FUM_OP_MASKS,
};
