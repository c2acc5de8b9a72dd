// SPDX-License-Identifier: MIT
// The gradient of geglu: dx [..., 2C] = [dy gelu(gate), dy value gelu'(gate)] of x [..., 2C] and dy
// [..., C]. C is a multiple of 4.
#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/geglu_gradient.pc.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    struct fum_shape half = call->in[0].shape;
    int64_t *channels = &half.dim[half.rank - 1];
    if (*channels % 8)
        return fum_refuse(why, "%lld channels are not two halves of whole quads",
                          (long long)*channels);
    *channels /= 2;
    if (!fum_is_storage(call->in[0].dtype) || call->in[0].dtype != call->in[1].dtype ||
        !fum_shape_same(&half, &call->in[1].shape))
        return fum_refuse(why, "dy must have half of x's channels, and x's storage type");
    call->out = call->in[0];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->in[1].shape);
    for (int64_t i = 0; i < fum_shape_count(&call->in[1].shape); i++) {
        int64_t at = i / channels * 2 * channels + i % channels;
        double value = in[0][at], gate = in[0][at + channels], d = in[1][i];
        out[at] = d * fum_act_reference(FUM_ACT_GELU, gate);
        out[at + channels] = d * value * fum_act_derivative(FUM_ACT_GELU, gate);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *x = &call->in[0], *dy = &call->in[1];
    int64_t rows = fum_shape_rows(&x->shape), most = fum_rows_per_binding(list->info, x);
    if (!fum_shape_count(&x->shape)) return true;
    if (most == 0) return fum_refuse_size(&list->why, list->info, "one row");
    most = FUM_MIN(most, rows);
    for (int64_t first = 0; first < rows; first += most) {
        int64_t count = FUM_MIN(most, rows - first);
        int64_t row_quads = fum_shape_row_quads(&dy->shape);
        struct fum_dispatch *d = fum_emit_quads_reading(list, "geglu_gradient", x->dtype,
                                                        (uint64_t)(count * row_quads), 3);
        if (!d) return false;
        struct fum_geglu_gradient_push push = {.quads = (uint32_t)(count * row_quads),
                                               .row_quads = (uint32_t)row_quads};
        push.x_skip = fum_emit_rows(list, d, 0, (struct fum_rows){x, first, count});
        push.dy_skip = fum_emit_rows(list, d, 1, (struct fum_rows){dy, first, count});
        push.dx_skip = fum_emit_rows(list, d, FUM_OUT, (struct fum_rows){x, first, count});
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

const struct fum_op fum_op_geglu_gradient = {
    .name = "geglu_gradient",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
