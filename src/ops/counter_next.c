// SPDX-License-Identifier: MIT
// counter + 1, in place: an i32 [1]. A second input, of any kind, is not read; it only says after
// what this comes.
#include "ops/lib/emit.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char text[96];
    call->out = call->in[0];
    return fum_is_counter(&call->in[0]) ||
           fum_refuse(why, "the counter is %s %s; expected i32 [1]",
                      fum_dtype_name(call->in[0].dtype),
                      fum_shape_text(&call->in[0].shape, text, sizeof text));
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    (void)call;
    out[0] = in[0][0] + 1;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    (void)call;
    struct fum_dispatch *d = fum_emit(list, "counter_next", FUM_F32, 1);
    if (d) fum_emit_bind(d, (struct fum_dispatch_bind){.operand = 0, .write = true});
    return d != NULL;
}

const struct fum_op fum_op_counter_next = {
    .name = "counter_next",
    .min_inputs = 1,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
