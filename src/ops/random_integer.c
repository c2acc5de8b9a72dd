// SPDX-License-Identifier: MIT
// Integers from 0 to limit - 1, i32, from a key on the GPU (random.h). Their probabilities differ
// by less than limit / 2^32 of each.
#include "ops/lib/emit.h"
#include "ops/lib/random.h"

static const struct fum_attr_def attrs[] = {
    FUM_SHAPE_ATTR_DEFS, [FUM_RANDOM_LIMIT] = {"limit", 1}, {"offset", 0}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t limit;
    call->out.dtype = FUM_I32;
    return fum_attr_int(call->attr[FUM_RANDOM_LIMIT],
                        (struct fum_attr_range){"limit", 1, INT32_MAX}, &limit, why) &&
           fum_random_infer_shape(call, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    fum_random_reference(call, FUM_RANDOM_INTEGER, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_random_dispatch(call, FUM_RANDOM_INTEGER, list);
}

const struct fum_op fum_op_random_integer = {
    .name = "random_integer",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
