// SPDX-License-Identifier: MIT
// Applies a scale and a shift for every channel, and an activation: x [.., channels], factors f32
// [2, channels]. The second half of a norm whose statistics come from elsewhere.
#include "base/macros.h"
#include "graph/fuse/fuse.h"
#include "ops/lib/emit.h"
#include "ops/lib/part.h"
#include "ops/lib/unary.h"
#include "shaders/channel_affine.pc.h"

static const struct fum_attr_def attrs[] = {{"act", 0}, {0}};

enum { BLOCK = 8 }; // rows that an invocation handles

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *f = &call->in[1].shape;
    if (f->rank != 2 || f->dim[0] != 2 || f->dim[1] != fum_shape_channels(x) ||
        call->in[1].dtype != FUM_F32)
        return fum_refuse(why, "the scales and shifts must be f32 [2, %lld]",
                          (long long)fum_shape_channels(x));
    call->out = call->in[0];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->out.shape);
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        int64_t c = i % channels;
        double v = in[0][i] * in[1][c] + in[1][channels + c];
        out[i] = fum_act_reference((enum fum_act)call->attr[0], v);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *x = &call->out;
    int64_t rows = fum_shape_rows(&x->shape), each = fum_rows_per_binding(list->info, x);
    int64_t quads = fum_shape_row_quads(&x->shape);
    if (fum_shape_count(&x->shape) == 0) return true;
    if (each < 1) return fum_refuse_size(&list->why, list->info, "one row");
    for (int64_t first = 0; first < rows; first += each) {
        const struct fum_rows window = {x, first, FUM_MIN(each, rows - first)};
        uint64_t items = (uint64_t)(FUM_DIV_UP(window.count, BLOCK) * quads);
        struct fum_dispatch *d = fum_emit(list, "channel_affine", x->dtype, items);
        if (!d) return false;
        FUM_EMIT_SPECS(d, BLOCK, (uint32_t)call->attr[0]);
        struct fum_channel_affine_push push = {.quads = (uint32_t)quads,
                                               .rows = (uint32_t)window.count};
        push.x_skip = fum_emit_rows(list, d, 0, window);
        if (!fum_emit_whole(list, d, 1, &call->in[1])) return false;
        push.y_skip = fum_emit_rows(list, d, FUM_OUT, window);
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

static const struct fum_epilogue epilogue = {.act_attr = "act"};

const struct fum_op fum_op_channel_affine = {
    .name = "channel_affine",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flags = FUM_OP_IN_PLACE,
    .fusion = &(const struct fum_op_fusion){.epilogue = &epilogue},
};
