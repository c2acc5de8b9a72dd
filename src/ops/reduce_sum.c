// SPDX-License-Identifier: MIT
// Sums to the shape of the settings rank, d0, …, aligned at the last dimension: dimensions that are
// missing there or 1 are summed over. So it undoes a broadcast. The order of a sum is fixed: two
// passes, without atomics.
#include "graph/gradient.h"
#include "ops/lib/texels.h"
#include "ops/lib/shape_attrs.h"
#include "shaders/reduce_sum.pc.h"

#include <string.h>

static const struct fum_attr_def attrs[] = {FUM_SHAPE_ATTR_DEFS, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char left[96], right[96];
    const struct fum_shape *in = &call->in[0].shape;
    call->out = call->in[0];
    if (!fum_is_storage(call->in[0].dtype))
        return fum_refuse(why, "the input is %s; it must be f32, f16 or bf16",
                          fum_dtype_name(call->in[0].dtype));
    if (!fum_shape_from_attrs(call->attr, &call->out.shape, why)) return false;
    if (fum_shape_broadcasts(&call->out.shape, in)) return true;
    return fum_refuse(why, "%s cannot be summed to %s", fum_shape_text(in, left, sizeof left),
                      fum_shape_text(&call->out.shape, right, sizeof right));
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_shape *x = &call->in[0].shape, *y = &call->out.shape;
    int64_t at[FUM_MAX_DIMS] = {0};
    memset(out, 0, (size_t)fum_shape_count(y) * sizeof *out);
    for (int64_t e = 0; e < fum_shape_count(x); e++) {
        int64_t rest = e, to = 0;
        for (int i = FUM_MAX_DIMS - 1; i >= 0; i--) {
            at[i] = rest % fum_dim4(x, i);
            rest /= fum_dim4(x, i);
        }
        for (int i = 0; i < FUM_MAX_DIMS; i++)
            to = to * fum_dim4(y, i) + (fum_dim4(y, i) == 1 ? 0 : at[i]);
        out[to] += in[0][e];
    }
}

// True if the summed dimensions before the channels follow the kept ones.
static bool is_inner(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, *y = &call->out.shape;
    bool summed = false;
    for (int i = 0; i + 1 < FUM_MAX_DIMS; i++) {
        if (fum_dim4(x, i) == 1) continue;
        if (summed && fum_dim4(y, i) != 1) return false;
        summed = summed || fum_dim4(y, i) == 1;
    }
    return true;
}

// How a call's sums are cut: `cells` quads of the output, each a sum of `terms` quads of the input,
// in `chunks` partial sums.
struct cut {
    bool across; // sums over the channels, too
    uint64_t cells, terms, chunks;
};

static struct cut cut_sums(const struct fum_op_call *call) {
    enum { LEAST_TERMS = 64, MOST_ITEMS = 16384 };
    const struct fum_shape *x = &call->in[0].shape, *y = &call->out.shape;
    struct cut cut = {.across = fum_shape_channels(y) != fum_shape_channels(x),
                      .cells = fum_desc_quads(&call->out)};
    uint64_t quads = fum_desc_quads(&call->in[0]);
    uint64_t most = MOST_ITEMS / (cut.cells ? cut.cells : 1);
    cut.terms = cut.cells ? quads / cut.cells : 0;
    cut.chunks = cut.terms / LEAST_TERMS;
    // The second pass sums the chunks one after the other, so they are no more than its share.
    while (cut.chunks * cut.chunks > cut.terms) cut.chunks /= 2;
    if (cut.chunks > most) cut.chunks = most;
    if (cut.chunks < 1) cut.chunks = 1;
    return cut;
}

static struct fum_reduce_sum_push push_of(const struct fum_op_call *call, const struct cut *cut,
                                          bool again) {
    const struct fum_shape *x = &call->in[0].shape, *y = &call->out.shape;
    int64_t summed[3];
    for (int i = 0; i < 3; i++) summed[i] = fum_dim4(y, i) == fum_dim4(x, i) ? 1 : fum_dim4(x, i);
    return (struct fum_reduce_sum_push){
        .cells = (uint32_t)cut->cells,
        .terms = (uint32_t)(again ? cut->chunks : cut->terms),
        .chunks = again ? 1 : (uint32_t)cut->chunks,
        .row_quads = (uint32_t)fum_shape_row_quads(x),
        .channels = (uint32_t)fum_shape_channels(x),
        .y_d1 = (uint32_t)fum_dim4(y, 1),
        .y_d2 = (uint32_t)fum_dim4(y, 2),
        .sum_d1 = (uint32_t)summed[1],
        .sum_d2 = (uint32_t)summed[2],
        .stride0 = (uint32_t)(fum_dim4(x, 1) * fum_dim4(x, 2)),
        .stride1 = (uint32_t)fum_dim4(x, 2),
    };
}

enum { FEW_TERMS = 4 };

// Adds one pass: from the input or, `again`, from the partial sums; the last one writes the output.
static bool emit_pass(const struct fum_op_call *call, struct fum_dispatches *list,
                      const struct cut *cut, bool again) {
    bool last = again || cut->chunks == 1;
    int input = cut->terms ? 0 : FUM_OUT; // an empty input cannot be bound
    uint64_t items = again ? cut->cells : cut->cells * cut->chunks;
    bool brief = (again ? cut->chunks : cut->terms / cut->chunks) <= FEW_TERMS;
    struct fum_dispatch *d =
        brief ? fum_emit_quads_reading(list, "reduce_sum", call->out.dtype, items, 1)
              : fum_emit_reading(list, "reduce_sum", call->out.dtype, items, 1);
    if (!d || !fum_emit_whole(list, d, input, cut->terms ? &call->in[0] : &call->out)) return false;
    if (!fum_emit_sums(list, d, &call->out, last)) return false;
    FUM_EMIT_SPECS(d, cut->across, last, again, is_inner(call));
    const struct fum_reduce_sum_push push = push_of(call, cut, again);
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct cut cut = cut_sums(call);
    if (!cut.cells) return true;
    if (cut.chunks > 1) list->scratch_bytes = cut.chunks * cut.cells * 16;
    if (!emit_pass(call, list, &cut, false)) return false;
    return cut.chunks == 1 || emit_pass(call, list, &cut, true);
}

static bool gradient(struct fum_gradient *g) {
    g->grad[0] = fum_gradient_broadcast(g, g->dout, g->node->in[0]->desc.shape);
    return true;
}

static double flops(const struct fum_op_call *call) {
    return (double)fum_shape_count(&call->in[0].shape);
}

const struct fum_op fum_op_reduce_sum = {
    .name = "reduce_sum",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
};
