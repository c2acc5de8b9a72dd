// SPDX-License-Identifier: MIT
// Two to six tensors one after the other along an axis; -1, the default, is the channels.
#include "base/macros.h"
#include "graph/fuse/fuse.h"
#include "ops/lib/copy.h"
#include "ops/lib/emit.h"

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
                why, "input %d is %s %s; want %s like %s but for dimension %d", k,
                fum_dtype_name(b->dtype), fum_shape_text(&b->shape, right, sizeof right),
                fum_dtype_name(a->dtype), fum_shape_text(&a->shape, left, sizeof left), axis);
        call->out.shape.dim[axis] += b->shape.dim[axis];
    }
    return true;
}

// The copy of input k, whose place along the axis starts at `at`.
static struct fum_copy part(const struct fum_op_call *call, int k, int axis, int64_t at) {
    const struct fum_desc *in = &call->in[k], *out = &call->out;
    int64_t outer, rows;
    fum_axis_rows(&in->shape, axis, &outer, &rows);
    struct fum_copy c = {
        .operand = k, .src = *in, .dst = *out, .channels = fum_shape_channels(&in->shape)};
    if (axis == in->shape.rank - 1) {
        c.runs = 1;
        c.run = fum_shape_rows(&in->shape);
        c.dst_channel = at;
    } else {
        c.runs = outer;
        c.run = c.src_step = in->shape.dim[axis] * rows;
        c.dst_step = out->shape.dim[axis] * rows;
        c.dst_row = at * rows;
    }
    return c;
}

static int the_axis(const struct fum_op_call *call) {
    return (int)call->attr[0] + (call->attr[0] < 0 ? call->out.shape.rank : 0);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int axis = the_axis(call);
    int64_t at = 0;
    for (int k = 0; k < call->num_inputs && call->has[k]; at += call->in[k++].shape.dim[axis]) {
        struct fum_copy c = part(call, k, axis, at);
        fum_copy_reference(&c, in[k], out);
    }
}

enum { PIECE = 256 }; // quads that a workgroup copies

// All in one dispatch, where every tensor fits a binding and no quad of the output has elements of
// two. False: not so.
static bool dispatch_quads(const struct fum_op_call *call, int axis, struct fum_dispatches *list) {
    uint64_t end[FUM_MAX_INPUTS], run = 0;
    int operand[FUM_MAX_INPUTS], count = 0;
    if (fum_desc_bytes(&call->out) > list->info->max_binding) return false;
    for (int k = 0; k < call->num_inputs && call->has[k]; k++) {
        const struct fum_shape *s = &call->in[k].shape;
        int64_t outer, rows;
        if (!fum_shape_count(s)) continue;
        fum_axis_rows(s, axis, &outer, &rows);
        if (axis == s->rank - 1 && run % 4) return false;
        // Of the channels first, of which only the last may end within a quad.
        run += axis == s->rank - 1 ? (uint64_t)s->dim[axis]
                                   : (uint64_t)(s->dim[axis] * rows * fum_shape_row_quads(s));
        end[count] = run;
        operand[count++] = k;
    }
    bool channels = axis == call->out.shape.rank - 1;
    if (!count) return true;
    bool texels =
        call->out.dtype != FUM_I32 && fum_texels_pay(list->info, list->tuning, call->out.dtype);
    if (channels) run = FUM_DIV_UP(run, 4);
    uint64_t runs = fum_desc_quads(&call->out) / run, pieces = FUM_DIV_UP(run, PIECE);
    struct fum_dispatch *d =
        fum_emit(list, texels ? "concat_texel" : "concat", fum_raw_variant(call->out.dtype),
                 runs * pieces * fum_lanes(list->info));
    if (!d) return false;
    d->texels = texels ? 0x3f : 0;
    fum_emit_spec(d, (uint32_t)count);
    fum_emit_spec(d, PIECE);
    for (int k = 0; k < FUM_MAX_INPUTS; k++)
        fum_emit_bind(d, operand[k < count ? k : 0], false, 0, 0);
    fum_emit_bind(d, FUM_OUT, true, 0, 0);
    fum_emit_push(d, (uint32_t)runs);
    fum_emit_push(d, (uint32_t)run);
    for (int k = 0; k + 1 < FUM_MAX_INPUTS; k++)
        fum_emit_push(d, (uint32_t)(k >= count ? run : channels ? FUM_DIV_UP(end[k], 4) : end[k]));
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    int axis = the_axis(call);
    if (dispatch_quads(call, axis, list)) return true;
    int64_t at = 0;
    for (int k = 0; k < call->num_inputs && call->has[k]; at += call->in[k++].shape.dim[axis]) {
        struct fum_copy c = part(call, k, axis, at);
        if (!fum_copy_emit(list, &c)) return false;
    }
    return true;
}

static bool joins(const struct fum_op_call *call) {
    bool channels = the_axis(call) == call->out.shape.rank - 1;
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
    .fusion = &(const struct fum_op_fusion){.joins = joins},
};
