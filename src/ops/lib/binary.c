// SPDX-License-Identifier: MIT
#include "ops/lib/binary.h"

#include "ops/lib/texels.h"
#include "ops/lib/shape_attrs.h"
#include "shaders/binary.pc.h"

#include <math.h>

bool fum_binary_infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *a = &call->in[0], *b = &call->in[1];
    char left[96], right[96];
    if (a->dtype != b->dtype || !fum_is_storage(a->dtype))
        return fum_refuse(why, "inputs are %s and %s; expected one storage type",
                          fum_dtype_name(a->dtype), fum_dtype_name(b->dtype));
    call->out = a->shape.rank >= b->shape.rank ? *a : *b;
    for (int i = 0; i < call->out.shape.rank; i++) {
        int at = FUM_MAX_DIMS - call->out.shape.rank + i;
        int64_t x = fum_dim4(&a->shape, at), y = fum_dim4(&b->shape, at);
        if (x != y && x != 1 && y != 1)
            return fum_refuse(why, "shapes %s and %s do not broadcast",
                              fum_shape_text(&a->shape, left, sizeof left),
                              fum_shape_text(&b->shape, right, sizeof right));
        call->out.shape.dim[i] = x == 1 ? y : x;
    }
    return true;
}

static double apply(enum fum_binary op, double a, double b) {
    switch (op) {
    case FUM_BINARY_ADD: return a + b;
    case FUM_BINARY_MUL: return a * b;
    case FUM_BINARY_MASKED_MUL: return b == 0 ? 0 : a * b;
    case FUM_BINARY_SUB: return a - b;
    case FUM_BINARY_PRELU: return a > 0 ? a : a * b;
    case FUM_BINARY_SQUARED_ERROR: return (a - b) * (a - b);
    case FUM_BINARY_BINARY_CROSS_ENTROPY: return (a > 0 ? a : 0) - a * b + log1p(exp(-fabs(a)));
    }
    return a;
}

// Rows of an operand per step of the output's dimensions before the channels; 0 where it is
// broadcast.
static void row_strides(const struct fum_shape *shape, int64_t stride[3]) {
    int64_t rows = 1;
    for (int i = 2; i >= 0; i--) {
        int64_t n = fum_dim4(shape, i);
        stride[i] = n == 1 ? 0 : rows;
        rows *= n;
    }
}

void fum_binary_reference(const struct fum_op_call *call, enum fum_binary op,
                          const double *const *in, double *out) {
    const struct fum_shape *shape = &call->out.shape;
    int64_t stride[2][3], d1 = fum_dim4(shape, 1), d2 = fum_dim4(shape, 2),
                          channels = fum_shape_channels(shape);
    for (int k = 0; k < 2; k++) row_strides(&call->in[k].shape, stride[k]);
    for (int64_t row = 0; row < fum_shape_rows(shape); row++) {
        const double *x[2];
        for (int k = 0; k < 2; k++)
            x[k] = in[k] + fum_shape_channels(&call->in[k].shape) *
                               (row / d2 / d1 * stride[k][0] + row / d2 % d1 * stride[k][1] +
                                row % d2 * stride[k][2]);
        bool wide_a = fum_shape_channels(&call->in[0].shape) == channels;
        bool wide_b = fum_shape_channels(&call->in[1].shape) == channels;
        for (int64_t c = 0; c < channels; c++)
            *out++ = apply(op, x[0][wide_a ? c : 0], x[1][wide_b ? c : 0]);
    }
}

static bool same_shape(const struct fum_shape *a, const struct fum_shape *b) {
    for (int i = 0; i < FUM_MAX_DIMS; i++)
        if (fum_dim4(a, i) != fum_dim4(b, i)) return false;
    return true;
}

static bool dispatch_flat(const struct fum_op_call *call, enum fum_binary op,
                          struct fum_dispatches *list) {
    enum fum_dtype dtype = call->out.dtype;
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, dtype))) {
        struct fum_dispatch *d = fum_emit_quads_reading(list, "binary", dtype, span.count, 3);
        if (!d) return false;
        FUM_EMIT_SPECS(d, op, 1);
        for (int k = 0; k < 2; k++) fum_emit_span(d, k, dtype, &span);
        fum_emit_span(d, FUM_OUT, dtype, &span);
        const struct fum_binary_push push = {.quads = (uint32_t)span.count};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

// Rows [first, first + count) of the output. An operand with as many rows has the same window,
// others come whole.
static bool emit_rows(const struct fum_op_call *call, enum fum_binary op,
                      struct fum_dispatches *list, int64_t first, int64_t count) {
    const struct fum_desc *out = &call->out;
    uint32_t row_quads = (uint32_t)fum_shape_row_quads(&out->shape), base[2], quads[2];
    int64_t stride[2][3];
    struct fum_dispatch *d =
        fum_emit_quads_reading(list, "binary", out->dtype, (uint64_t)count * row_quads, 3);
    if (!d) return false;
    FUM_EMIT_SPECS(d, op, 0);
    for (int k = 0; k < 2; k++) {
        const struct fum_desc *in = &call->in[k];
        fum_emit_spec(d, fum_shape_channels(&in->shape) != fum_shape_channels(&out->shape));
        base[k] = 0;
        quads[k] = (uint32_t)fum_shape_row_quads(&in->shape);
        row_strides(&in->shape, stride[k]);
        if (fum_shape_rows(&in->shape) == fum_shape_rows(&out->shape))
            base[k] = fum_emit_rows(list, d, k, (struct fum_rows){in, first, count}) -
                      (uint32_t)first * quads[k];
        else if (!fum_emit_whole(list, d, k, in))
            return false;
    }
    struct fum_binary_push push = {
        .quads = (uint32_t)count * row_quads,
        .row_quads = row_quads,
        .first_row = (uint32_t)first,
        .d1 = (uint32_t)fum_dim4(&out->shape, 1),
        .d2 = (uint32_t)fum_dim4(&out->shape, 2),
        .a_base = base[0],
        .a_row_quads = quads[0],
        .b_base = base[1],
        .b_row_quads = quads[1],
    };
    for (int i = 0; i < 3; i++) {
        push.a_stride[i] = (uint32_t)stride[0][i];
        push.b_stride[i] = (uint32_t)stride[1][i];
    }
    push.y_skip = fum_emit_rows(list, d, FUM_OUT, (struct fum_rows){out, first, count});
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_binary_dispatch(const struct fum_op_call *call, enum fum_binary op,
                         struct fum_dispatches *list) {
    const struct fum_desc *all[] = {&call->out, &call->in[0], &call->in[1]};
    if (!fum_shape_count(&call->out.shape)) return true;
    if (same_shape(&call->in[0].shape, &call->in[1].shape)) return dispatch_flat(call, op, list);
    int64_t rows = fum_shape_rows(&call->out.shape), most = INT64_MAX;
    for (int i = 0; i < 3; i++)
        if (fum_shape_rows(&all[i]->shape) == rows)
            most = FUM_MIN(most, fum_rows_per_binding(list->info, all[i]));
    if (most == 0) return fum_refuse_size(&list->why, list->info, "one row");
    most = FUM_MIN(most, rows);
    for (int64_t first = 0; first < rows; first += most)
        if (!emit_rows(call, op, list, first, FUM_MIN(most, rows - first))) return false;
    return true;
}
