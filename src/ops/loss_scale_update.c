// SPDX-License-Identifier: MIT
// Updates the scale of the loss in training with 16-bit activations, as PyTorch's GradScaler.
// Writes the scale, f32 [1], and the number of steps since it last changed, i32 [1]. A factor of 0,
// which clip_factor gives for non-finite gradients, shrinks the scale by "backoff". After
// "interval" steps without one, the scale grows by "growth".
#include "ops/lib/update.h"
#include "shaders/loss_scale_update.pc.h"

enum { SCALE, STEPS, FACTOR };
enum { GROWTH, BACKOFF, INTERVAL };
static const struct fum_attr_def attrs[] = {
    [GROWTH] = {"growth", 2}, [BACKOFF] = {"backoff", 0.5}, [INTERVAL] = {"interval", 2000}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t interval;
    if (!fum_attr_int(call->attr[INTERVAL], (struct fum_attr_range){"interval", 1, INT32_MAX},
                      &interval, why) ||
        !fum_update_check_factor(call, SCALE, why) || !fum_update_check_factor(call, FACTOR, why))
        return false;
    call->out = call->in[SCALE];
    return fum_is_counter(&call->in[STEPS]) ||
           fum_refuse(why, "the number of steps must be i32 [1]");
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    bool skipped = in[FACTOR][0] == 0, grows = in[STEPS][0] + 1 >= call->attr[INTERVAL];
    out[0] = in[SCALE][0] * (skipped ? call->attr[BACKOFF] : 1);
    if (!skipped && grows) out[0] *= call->attr[GROWTH];
    out[1] = skipped || grows ? 0 : in[STEPS][0] + 1;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_emit(list, "loss_scale_update", FUM_F32, 1);
    if (!d) return false;
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = SCALE, .write = true});
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = STEPS, .write = true});
    fum_emit_operand(d, FACTOR);
    const struct fum_loss_scale_update_push push = {.growth = (float)call->attr[GROWTH],
                                                    .backoff = (float)call->attr[BACKOFF],
                                                    .interval = (int32_t)call->attr[INTERVAL]};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_loss_scale_update = {
    .name = "loss_scale_update",
    .attrs = attrs,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << SCALE | 1 << STEPS,
};
