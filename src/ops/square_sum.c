// SPDX-License-Identifier: MIT
// The sum of the squares of all elements, one number in f32, plus the optional second input. A
// chain of them gives the square of the norm of many gradients. The order of the sum is fixed, and
// rounding errors are carried along (Kahan), so that large tensors lose no digits.
#include "graph/gradient.h"
#include "ops/lib/texels.h"
#include "shaders/square_sum.pc.h"

enum { X, BEFORE };
// Quads that one workgroup sums at most, partial sums of larger tensors, and the workgroup's size.
enum { MOST_AT_ONCE = 2048, MOST_PARTS = 16384, LANES = 64 };

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_is_storage(call->in[X].dtype))
        return fum_refuse(why, "the input must be f32, f16 or bf16");
    if (call->has[BEFORE] &&
        (call->in[BEFORE].dtype != FUM_F32 || fum_shape_count(&call->in[BEFORE].shape) != 1))
        return fum_refuse(why, "the sum to add to must be one number in f32");
    call->out = (struct fum_desc){{1, {1}}, FUM_F32};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    out[0] = call->has[BEFORE] ? in[BEFORE][0] : 0;
    for (int64_t i = 0; i < fum_shape_count(&call->in[X].shape); i++) out[0] += in[X][i] * in[X][i];
}

// One pass: over the quads of a span of x or, without one, over the partial sums.
struct pass {
    const struct fum_span *span;
    uint64_t count, parts; // terms, and the sums that they give
    uint64_t first;        // where the partial sums start, in numbers
    bool last;             // writes the output
};

static void emit_scratch(struct fum_dispatch *d, const struct fum_dispatches *list,
                         const struct pass *pass) {
    if (list->scratch_bytes)
        fum_emit_bind(d, fum_bind_scratch(0, list->scratch_bytes, !pass->last));
    else
        fum_emit_operand(d, FUM_OUT); // not used
}

static bool emit_pass(const struct fum_op_call *call, struct fum_dispatches *list,
                      const struct pass *pass) {
    const struct fum_shape *x = &call->in[X].shape;
    enum fum_dtype dtype = call->in[X].dtype;
    struct fum_dispatch *d = pass->last ? fum_emit_groups(list, "square_sum", dtype, LANES, 1)
                                        : fum_emit_groups(list, "square_sum", dtype, LANES,
                                                          FUM_DIV_UP(pass->parts, LANES));
    if (!d) return false;
    fum_read_texels(list, d, 1 << X);
    FUM_EMIT_SPECS(d, pass->last, pass->span == NULL, call->has[BEFORE]);
    if (pass->span)
        fum_emit_span(d, X, dtype, pass->span);
    else
        fum_emit_operand(d, FUM_OUT); // not used
    emit_scratch(d, list, pass);
    fum_emit_operand(d, call->has[BEFORE] ? BEFORE : FUM_OUT);
    if (pass->last)
        fum_emit_operand(d, FUM_OUT);
    else
        emit_scratch(d, list, pass); // not used
    const struct fum_square_sum_push push = {
        .count = (uint32_t)pass->count,
        .parts = (uint32_t)pass->parts,
        .first_part = (uint32_t)pass->first,
        .row_quads = (uint32_t)fum_shape_row_quads(x),
        .channels = (uint32_t)fum_shape_channels(x),
        .first = pass->span ? (uint32_t)(pass->span->first % (uint64_t)fum_shape_row_quads(x)) : 0};
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Sums a tensor of more quads than one workgroup should: partial sums of each window, then these.
static bool dispatch_parts(const struct fum_op_call *call, struct fum_dispatches *list,
                           uint64_t quads, uint64_t each) {
    uint64_t windows = FUM_DIV_UP(quads, each), parts = FUM_DIV_UP(quads, MOST_AT_ONCE) * LANES;
    parts = FUM_MAX(FUM_MIN(parts, MOST_PARTS) / windows, 1);
    list->scratch_bytes = windows * parts * sizeof(float);
    struct pass pass = {.parts = parts};
    struct fum_span span = {0};
    while (fum_span_next(&span, quads, each)) {
        pass.span = &span;
        pass.count = span.count;
        if (!emit_pass(call, list, &pass)) return false;
        pass.first += parts;
    }
    const struct pass last = {.count = pass.first, .parts = LANES, .last = true};
    return emit_pass(call, list, &last);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->in[X]);
    uint64_t each = fum_quads_per_binding(list->info, call->in[X].dtype);
    if (quads > MOST_AT_ONCE || quads > each) return dispatch_parts(call, list, quads, each);
    const struct fum_span all = {.count = quads};
    const struct pass only = {
        .span = quads ? &all : NULL, .count = quads, .parts = LANES, .last = true};
    return emit_pass(call, list, &only);
}

// Adds dx = 2 x dout.
static bool gradient(struct fum_gradient *g) {
    fum_tensor *x = g->node->in[X];
    if (g->needed[BEFORE])
        g->grad[BEFORE] = fum_gradient_reshape(g, g->dout, g->node->in[BEFORE]->desc.shape);
    if (!g->needed[X]) return true;
    fum_tensor *slope = fum_gradient_scale(g, g->dout, 2);
    slope = fum_gradient_cast(g, slope, x->desc.dtype);
    g->grad[X] = fum_gradient_pair(g, "mul", x, slope);
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 2 * (double)fum_shape_count(&call->in[X].shape);
}

const struct fum_op fum_op_square_sum = {
    .name = "square_sum",
    .min_inputs = 1,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
};
