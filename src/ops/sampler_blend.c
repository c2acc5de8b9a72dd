// SPDX-License-Identifier: MIT
// Puts back, after a step of the sampler, what a mask keeps of a start image, in place, in f32.
// Inputs: state [K B, H, W, C], mask, image and noise [B, H, W, C], levels [E, 2], counter.
// Row e = levels[counter] has the factors of image and noise:
//     x_0 = mask x_0 + (1 - mask) (e_0 image + e_1 noise)
// The rest of the history stays.
#include "ops/lib/emit.h"
#include "ops/lib/sampler.h"
#include "shaders/sampler_blend.pc.h"

#include <string.h>

enum { STATE, MASK, IMAGE, NOISE, LEVELS, COUNTER };
enum { HISTORY, COPIES, LEAST_LEVELS = 2 };
static const struct fum_attr_def attrs[] = {
    [HISTORY] = {"history", 1}, [COPIES] = {"copies", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char left[96], right[96];
    if (!fum_sampler_check(call, (struct fum_sampler_inputs){STATE, LEVELS, COUNTER}, LEAST_LEVELS,
                           why))
        return false;
    struct fum_desc point = fum_sampler_point(call);
    for (int i = MASK; i <= NOISE; i++)
        if (call->in[i].dtype != FUM_F32 || !fum_shape_same(&call->in[i].shape, &point.shape))
            return fum_refuse(why, "input %d is %s %s; expected f32 %s", i,
                              fum_dtype_name(call->in[i].dtype),
                              fum_shape_text(&call->in[i].shape, left, sizeof left),
                              fum_shape_text(&point.shape, right, sizeof right));
    call->out = call->in[STATE];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_desc point = fum_sampler_point(call);
    int64_t n = fum_shape_count(&point.shape), all = fum_shape_count(&call->in[STATE].shape);
    const struct fum_desc *levels = &call->in[LEVELS];
    const double *level =
        in[LEVELS] + fum_sampler_row(levels, in[COUNTER][0]) * levels->shape.dim[1];
    memcpy(out, in[STATE], (size_t)all * sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        double m = in[MASK][i], known = level[0] * in[IMAGE][i] + level[1] * in[NOISE][i];
        out[i] = m * in[STATE][i] + (1 - m) * known;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_desc point = fum_sampler_point(call);
    const struct fum_desc *levels = &call->in[LEVELS];
    uint64_t quads = fum_desc_quads(&point);
    if (!quads) return true;
    struct fum_dispatch *d = fum_emit(list, "sampler_blend", FUM_F32, quads);
    if (!d || !fum_emit_whole(list, d, STATE, &point)) return false;
    d->bind[0].bytes = fum_desc_bytes(&point); // history[0] alone
    d->bind[0].write = true;
    for (int i = MASK; i <= LEVELS; i++)
        if (!fum_emit_whole(list, d, i, &call->in[i])) return false;
    fum_emit_operand(d, COUNTER);
    const struct fum_sampler_blend_push push = {
        .quads = (uint32_t)quads,
        .level_row = (uint32_t)fum_shape_row_quads(&levels->shape) * 4,
        .last = (int32_t)(levels->shape.dim[0] - 1)};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_sampler_blend = {
    .name = "sampler_blend",
    .attrs = attrs,
    .min_inputs = 6,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << STATE,
};
