// SPDX-License-Identifier: MIT
// Standard normal numbers from a key on the GPU (random.h).
#include "ops/lib/random.h"

static const struct fum_attr_def attrs[] = {FUM_RANDOM_ATTR_DEFS, {0}};

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_random_reference(call, FUM_RANDOM_NORMAL, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_random_dispatch(call, FUM_RANDOM_NORMAL, list);
}

const struct fum_op fum_op_random_normal = {
    .name = "random_normal",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_random_infer,
    .reference = reference,
    .dispatch = dispatch,
};
