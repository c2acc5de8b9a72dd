// SPDX-License-Identifier: MIT
// Moves the key of random ops on in place: its offset grows by "draws", the number of draws that
// took it.
#include "ops/lib/emit.h"
#include "ops/lib/random.h"

enum { OFFSET = 2 };
static const struct fum_attr_def attrs[] = {{"draws", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t draws;
    call->out = call->in[0];
    return fum_attr_int(call->attr[0], (struct fum_attr_range){"draws", 0, INT32_MAX}, &draws,
                        why) &&
           fum_random_check_key(&call->in[0], why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    for (int i = 0; i < 4; i++) out[i] = in[0][i] + (i == OFFSET ? call->attr[0] : 0);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_emit(list, "counter_next", FUM_F32, 1);
    if (!d) return false;
    FUM_EMIT_SPECS(d, OFFSET, (uint32_t)call->attr[0], false);
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = 0, .write = true});
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = 0});
    return true;
}

const struct fum_op fum_op_random_next = {
    .name = "random_next",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
