// SPDX-License-Identifier: MIT
// counter + 1, in place: an i32 [1]. A second input, of any kind, is not read; it only says after
// what this comes. The optional third is the factor of an update, f32 [1]. Where it is 0 the update
// was skipped, and the counter stays.
#include "ops/lib/emit.h"

enum { COUNTER, AFTER, FACTOR };

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char text[96];
    call->out = call->in[0];
    if (call->has[FACTOR] &&
        (call->in[FACTOR].dtype != FUM_F32 || fum_shape_count(&call->in[FACTOR].shape) != 1))
        return fum_refuse(why, "the factor must be one number in f32");
    return fum_is_counter(&call->in[0]) ||
           fum_refuse(why, "the counter is %s %s; expected i32 [1]",
                      fum_dtype_name(call->in[0].dtype),
                      fum_shape_text(&call->in[0].shape, text, sizeof text));
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    bool stays = call->has[FACTOR] && in[FACTOR][0] == 0;
    out[0] = in[COUNTER][0] + (stays ? 0 : 1);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_emit(list, "counter_next", FUM_F32, 1);
    if (!d) return false;
    FUM_EMIT_SPECS(d, 0, 1, call->has[FACTOR]);
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = COUNTER, .write = true});
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = call->has[FACTOR] ? FACTOR : COUNTER});
    return true;
}

const struct fum_op fum_op_counter_next = {
    .name = "counter_next",
    .min_inputs = 1,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
