// SPDX-License-Identifier: MIT
// The factor of all gradients of a step, from the sum of their squares: min(1, clip / (norm +
// 1e-6)) / scale, one number in f32. The optional second input is the scale of the loss, by which
// the norm is divided first. A clip of 0 does not clip. The factor is 0 where the sum is infinite
// or not a number: then updates skip the step.
#include <math.h>

#include "ops/lib/emit.h"
#include "ops/lib/update.h"
#include "shaders/clip_factor.pc.h"

enum { SQUARES, SCALE };
static const struct fum_attr_def attrs[] = {{"clip", 0}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!(call->attr[0] >= 0)) return fum_refuse(why, "clip must be at least 0");
    if (!fum_update_check_factor(call, SQUARES, why) || !fum_update_check_factor(call, SCALE, why))
        return false;
    call->out = (struct fum_desc){{1, {1}}, FUM_F32};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    double scale = fum_update_factor(call, SCALE, in), clip = call->attr[0];
    double norm = sqrt(in[SQUARES][0]) / scale, factor = 1;
    if (clip > 0 && clip / (norm + 1e-6) < 1) factor = clip / (norm + 1e-6);
    out[0] = isfinite(in[SQUARES][0]) ? factor / scale : 0;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_emit(list, "clip_factor", FUM_F32, 1);
    if (!d) return false;
    fum_emit_spec(d, call->has[SCALE]);
    fum_emit_operand(d, SQUARES);
    fum_emit_operand(d, call->has[SCALE] ? SCALE : SQUARES);
    fum_emit_operand(d, FUM_OUT);
    const struct fum_clip_factor_push push = {.clip = (float)call->attr[0]};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_clip_factor = {
    .name = "clip_factor",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
