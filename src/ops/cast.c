// SPDX-License-Identifier: MIT
// Converts a storage type, or i32, to another storage type: "dtype" is an enum fum_dtype; -1, the
// default, is the graph's own.
#include "base/dtype.h"
#include "graph/gradient.h"
#include "ops/lib/emit.h"
#include "shaders/cast.pc.h"

static const struct fum_attr_def attrs[] = {{"dtype", -1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    enum fum_dtype dtype = call->out.dtype;
    if (!fum_attr_storage(call->attr[0], &dtype, why)) return false;
    if (!fum_is_storage(call->in[0].dtype) && call->in[0].dtype != FUM_I32)
        return fum_refuse(why, "the input is %s; expected f32, f16, bf16 or i32",
                          fum_dtype_name(call->in[0].dtype));
    call->out = (struct fum_desc){call->in[0].shape, dtype};
    return true;
}

// Rounds to 16-bit types only: f32 values stay exact, so that gradients can be taken through them.
static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    bool rounds = call->out.dtype != FUM_F32;
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++)
        out[i] = rounds ? fum_round_to(call->out.dtype, (float)in[0][i]) : in[0][i];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    enum fum_dtype from = call->in[0].dtype, to = call->out.dtype;
    enum fum_dtype wide = fum_dtype_size(from) > fum_dtype_size(to) ? from : to;
    // Whole multiples of the alignment in the narrower type are ones in the wider type, too.
    uint64_t align = 2 * list->info->binding_align;
    uint64_t each = list->info->max_binding / align * align / (4 * fum_dtype_size(wide));
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out), each)) {
        struct fum_dispatch *d = fum_emit_quads(list, "cast", to, span.count);
        if (!d) return false;
        fum_emit_spec(d, from);
        fum_emit_span(d, 0, from, &span);
        fum_emit_span(d, FUM_OUT, to, &span);
        const struct fum_cast_push push = {.quads = (uint32_t)span.count};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

static bool gradient(struct fum_gradient *g) {
    if (g->node->in[0]->desc.dtype == FUM_I32)
        return fum_refuse(&g->why, "integers have no gradient");
    const struct fum_attr back[] = {{"dtype", g->node->in[0]->desc.dtype}, {0}};
    g->grad[0] = fum_gradient_add(g, "cast", FUM_INPUTS(g->dout), back);
    return true;
}

const struct fum_op fum_op_cast = {
    .name = "cast",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
