// SPDX-License-Identifier: MIT
// Lowers the flag, an i32 [1] that the host starts at INT32_MAX, to `code` when the second input
// holds an infinity or a NaN. After a run the flag names the first part that went wrong.
#include "base/macros.h"
#include "ops/lib/emit.h"
#include "ops/lib/unary.h"
#include "shaders/check_finite.pc.h"

#include <math.h>

static const struct fum_attr_def attrs[] = {{"code", 0}, {0}};

enum { QUADS_EACH = 4 }; // per invocation

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t code;
    if (!fum_attr_int(call->attr[0], (struct fum_attr_range){"code", INT32_MIN, INT32_MAX}, &code,
                      why))
        return false;
    if (!fum_is_counter(&call->in[0])) return fum_refuse(why, "input 0, the flag, must be i32 [1]");
    if (!fum_is_storage(call->in[1].dtype))
        return fum_refuse(why, "input 1 is %s; expected f32, f16 or bf16",
                          fum_dtype_name(call->in[1].dtype));
    call->out = call->in[0];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    out[0] = in[0][0];
    for (int64_t i = 0; i < fum_shape_count(&call->in[1].shape); i++)
        if (!isfinite(in[1][i]) && call->attr[0] < out[0]) out[0] = call->attr[0];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *x = &call->in[1];
    uint32_t row_quads = (uint32_t)fum_shape_row_quads(&x->shape);
    uint64_t each = fum_quads_per_binding(list->info, x->dtype);
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(x), each)) {
        struct fum_dispatch *d =
            fum_emit(list, "check_finite", x->dtype, FUM_DIV_UP(span.count, QUADS_EACH));
        if (!d) return false;
        fum_emit_spec(d, QUADS_EACH);
        fum_emit_bind(d, (struct fum_dispatch_bind){.operand = 0, .write = true});
        fum_emit_span(d, 1, x->dtype, &span);
        const struct fum_check_finite_push push = {.quads = (uint32_t)span.count,
                                                   .row_quads = row_quads,
                                                   .channels =
                                                       (uint32_t)fum_shape_channels(&x->shape),
                                                   .first = (uint32_t)(span.first % row_quads),
                                                   .code = (int32_t)call->attr[0]};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

const struct fum_op fum_op_check_finite = {
    .name = "check_finite",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
