// SPDX-License-Identifier: MIT
// GEGLU: [..., 2C] to [..., C], the first half times GELU of the second. Shazeer, "GLU variants
// improve transformer" (2020), in the order of diffusers: hidden, gate = x.chunk(2).
#include "graph/fuse/fuse.h"
#include "graph/gradient.h"
#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/geglu.pc.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t channels = fum_shape_channels(&call->in[0].shape);
    if (channels % 2)
        return fum_refuse(why, "%lld channels do not divide into two halves", (long long)channels);
    call->out = call->in[0];
    call->out.shape.dim[call->out.shape.rank - 1] = channels / 2;
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->out.shape);
    for (int64_t row = 0; row < fum_shape_rows(&call->out.shape); row++) {
        const double *x = in[0] + row * 2 * channels;
        for (int64_t c = 0; c < channels; c++)
            *out++ = x[c] * fum_act_reference(FUM_ACT_GELU, x[channels + c]);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *in = &call->in[0], *out = &call->out;
    if (!fum_shape_count(&out->shape)) return true;
    int64_t rows = fum_shape_rows(&out->shape), most = fum_rows_per_binding(list->info, in);
    if (most == 0) return fum_refuse_size(&list->why, list->info, "one row");
    most = FUM_MIN(most, rows);
    for (int64_t first = 0; first < rows; first += most) {
        int64_t count = FUM_MIN(most, rows - first);
        uint64_t quads = (uint64_t)(count * fum_shape_row_quads(&out->shape));
        struct fum_dispatch *d = fum_emit_quads_reading(list, "geglu", out->dtype, quads, 1);
        if (!d) return false;
        fum_emit_spec(d, (uint32_t)fum_shape_channels(&out->shape));
        struct fum_geglu_push push = {.quads = (uint32_t)quads,
                                      .x_row_quads = (uint32_t)fum_shape_row_quads(&in->shape)};
        push.x_skip = fum_emit_rows(list, d, 0, (struct fum_rows){in, first, count});
        push.y_skip = fum_emit_rows(list, d, FUM_OUT, (struct fum_rows){out, first, count});
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

// Returns half `i` of the channels of x.
static fum_tensor *add_half(struct fum_gradient *g, int i) {
    double channels = (double)fum_shape_channels(&g->node->desc.shape);
    const struct fum_attr half[] = {{"start", i * channels}, {"count", channels}, {0}};
    return fum_gradient_add(g, "slice", FUM_INPUTS(g->node->in[0]), half);
}

// Adds dx = [dy gelu(gate), dy value gelu'(gate)], by one op where the halves are whole quads.
static bool gradient(struct fum_gradient *g) {
    const struct fum_attr act[] = {{"act", FUM_ACT_GELU}, {0}};
    if (fum_shape_channels(&g->node->desc.shape) % 4 == 0) {
        const struct fum_inputs in = FUM_INPUTS(g->node->in[0], g->dout);
        g->grad[0] = fum_gradient_add(g, "geglu_gradient", in, NULL);
        return true;
    }
    fum_tensor *value = add_half(g, 0), *gate = add_half(g, 1);
    fum_tensor *gelu = fum_gradient_add(g, "gelu", FUM_INPUTS(gate), NULL);
    fum_tensor *weighted = fum_gradient_add(g, "mul", FUM_INPUTS(g->dout, value), NULL);
    fum_tensor *dvalue = fum_gradient_add(g, "mul", FUM_INPUTS(g->dout, gelu), NULL);
    fum_tensor *dgate = fum_gradient_add(g, "unary_gradient", FUM_INPUTS(gate, weighted), act);
    g->grad[0] = fum_gradient_add(g, "concat", FUM_INPUTS(dvalue, dgate), NULL);
    return true;
}

const struct fum_op fum_op_geglu = {
    .name = "geglu",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .fusion = &(const struct fum_op_fusion){.gate = FUM_ACT_GELU},
};
