// SPDX-License-Identifier: MIT
// Two to six tensors one after the other along an axis; -1, the default, is the channels.
#include "graph/fuse/fuse.h"
#include "graph/gradient.h"
#include "ops/lib/copy.h"
#include "ops/lib/emit.h"
#include "ops/lib/texels.h"
#include "shaders/concat.pc.h"

static const struct fum_attr_def attrs[] = {{"axis", -1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *a = &call->in[0];
    char left[96], right[96];
    int axis;
    if (!fum_axis(&a->shape, call->attr[0], &axis, why)) return false;
    call->out = *a;
    for (int k = 1; k < call->num_inputs && call->has[k]; k++) {
        const struct fum_desc *b = &call->in[k];
        bool fits = b->dtype == a->dtype && b->shape.rank == a->shape.rank;
        for (int i = 0; fits && i < a->shape.rank; i++)
            fits = i == axis || b->shape.dim[i] == a->shape.dim[i];
        if (!fits)
            return fum_refuse(
                why, "input %d is %s %s; expected %s like %s but for dimension %d", k,
                fum_dtype_name(b->dtype), fum_shape_text(&b->shape, right, sizeof right),
                fum_dtype_name(a->dtype), fum_shape_text(&a->shape, left, sizeof left), axis);
        call->out.shape.dim[axis] += b->shape.dim[axis];
    }
    return true;
}

// Returns the copy of input k, whose place along the axis starts at `at`.
static struct fum_copy copy_of(const struct fum_op_call *call, int k, int axis, int64_t at) {
    struct fum_copy c =
        fum_copy_along(&call->in[k], &call->out, (struct fum_axis_place){axis, 0, at});
    c.operand = k;
    return c;
}

static int axis_of(const struct fum_op_call *call) {
    return (int)call->attr[0] + (call->attr[0] < 0 ? call->out.shape.rank : 0);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int axis = axis_of(call);
    int64_t at = 0;
    for (int k = 0; k < call->num_inputs && call->has[k]; at += call->in[k++].shape.dim[axis]) {
        struct fum_copy c = copy_of(call, k, axis, at);
        fum_copy_reference(&c, in[k], out);
    }
}

enum { PIECE = 256 }; // quads that a workgroup copies

// The inputs that have elements, and where each ends in a run of the output, in quads.
struct runs {
    int operand[FUM_MAX_INPUTS], count;
    uint64_t end[FUM_MAX_INPUTS], quads; // of the whole run
};

// Returns false if a quad of the output has elements of two inputs: of channels only the last may
// end within a quad.
static bool find_runs(const struct fum_op_call *call, int axis, struct runs *runs) {
    bool channels = axis == call->out.shape.rank - 1;
    int64_t run = 0; // along channels in elements, else in quads
    *runs = (struct runs){0};
    for (int k = 0; k < call->num_inputs && call->has[k]; k++) {
        const struct fum_shape *s = &call->in[k].shape;
        int64_t outer, rows;
        if (!fum_shape_count(s)) continue;
        if (channels && run % 4) return false;
        fum_axis_rows(s, axis, &outer, &rows);
        run += channels ? s->dim[axis] : s->dim[axis] * rows * fum_shape_row_quads(s);
        runs->quads = (uint64_t)(channels ? FUM_DIV_UP(run, 4) : run);
        runs->end[runs->count] = runs->quads;
        runs->operand[runs->count++] = k;
    }
    return true;
}

// Adds all in one dispatch. Returns false if a tensor exceeds a binding or a quad of the output has
// elements of two inputs.
static bool dispatch_quads(const struct fum_op_call *call, int axis, struct fum_dispatches *list) {
    struct runs r;
    enum fum_dtype dtype = call->out.dtype;
    if (fum_desc_bytes(&call->out) > list->info->max_binding) return false;
    if (!find_runs(call, axis, &r)) return false;
    if (!r.count) return true;
    bool texels = dtype != FUM_I32 && fum_texels_faster(list->info, list->tuning, dtype);
    uint64_t runs = fum_desc_quads(&call->out) / r.quads, pieces = FUM_DIV_UP(r.quads, PIECE);
    struct fum_dispatch *d =
        fum_emit(list, texels ? "concat_texel" : "concat", fum_raw_variant(dtype),
                 runs * pieces * fum_lanes(list->info));
    if (!d) return false;
    d->texels = texels ? 0x3f : 0;
    FUM_EMIT_SPECS(d, (uint32_t)r.count, PIECE);
    for (int k = 0; k < FUM_MAX_INPUTS; k++) fum_emit_operand(d, r.operand[k < r.count ? k : 0]);
    fum_emit_operand(d, FUM_OUT);
    uint32_t end[FUM_MAX_INPUTS];
    for (int k = 0; k < FUM_MAX_INPUTS; k++) end[k] = (uint32_t)(k < r.count ? r.end[k] : r.quads);
    const struct fum_concat_push push = {.runs = (uint32_t)runs,
                                         .run = (uint32_t)r.quads,
                                         .end0 = end[0],
                                         .end1 = end[1],
                                         .end2 = end[2],
                                         .end3 = end[3],
                                         .end4 = end[4]};
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    int axis = axis_of(call);
    if (dispatch_quads(call, axis, list)) return true;
    int64_t at = 0;
    for (int k = 0; k < call->num_inputs && call->has[k]; at += call->in[k++].shape.dim[axis]) {
        struct fum_copy c = copy_of(call, k, axis, at);
        if (!fum_copy_emit(list, &c)) return false;
    }
    return true;
}

static bool gradient(struct fum_gradient *g) {
    struct fum_op_call call;
    fum_tensor_call(g->node, &call);
    int axis = axis_of(&call);
    int64_t at = 0;
    for (int k = 0; k < call.num_inputs && call.has[k]; at += call.in[k++].shape.dim[axis]) {
        const struct fum_attr part_of[] = {{"axis", axis},
                                           {"start", (double)at},
                                           {"count", (double)call.in[k].shape.dim[axis]},
                                           {0}};
        if (g->needed[k]) g->grad[k] = fum_gradient_add(g, "slice", FUM_INPUTS(g->dout), part_of);
    }
    return true;
}

static bool joins(const struct fum_op_call *call) {
    bool channels = axis_of(call) == call->out.shape.rank - 1;
    return channels && !call->has[2] && fum_shape_channels(&call->in[0].shape) % 4 == 0;
}

const struct fum_op fum_op_concat = {
    .name = "concat",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .fusion = &(const struct fum_op_fusion){.joins = joins},
};
