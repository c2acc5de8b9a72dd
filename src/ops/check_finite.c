// SPDX-License-Identifier: MIT
// Lowers the flag, an i32 [1] that the host starts at INT32_MAX, to `code` when the second input
// holds an infinity or a NaN: after a run the flag names the first part that went wrong.
#include "base/macros.h"
#include "ops/lib/emit.h"
#include "ops/lib/unary.h"

#include <math.h>

static const struct fum_attr_def attrs[] = {{"code", 0}, {0}};

enum { QUADS_EACH = 4 }; // per invocation

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t code;
    if (!fum_attr_int(call->attr[0], "code", INT32_MIN, INT32_MAX, &code, why)) return false;
    if (!fum_is_counter(&call->in[0])) return fum_refuse(why, "input 0, the flag, must be i32 [1]");
    if (!fum_is_storage(call->in[1].dtype))
        return fum_refuse(why, "input 1 is %s; want f32, f16 or bf16",
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
    uint64_t total = fum_desc_quads(x), each = fum_quads_per_binding(list->info, x->dtype);
    uint64_t quad = 4 * fum_dtype_size(x->dtype);
    for (uint64_t first = 0; first < total; first += each) {
        uint64_t quads = total - first < each ? total - first : each;
        struct fum_dispatch *d =
            fum_emit(list, "check_finite", x->dtype, FUM_DIV_UP(quads, QUADS_EACH));
        if (!d) return false;
        fum_emit_spec(d, QUADS_EACH);
        fum_emit_bind(d, 0, true, 0, 0);
        fum_emit_bind(d, 1, false, first * quad, quads * quad);
        fum_emit_push(d, (uint32_t)quads);
        fum_emit_push(d, (uint32_t)fum_shape_row_quads(&x->shape));
        fum_emit_push(d, (uint32_t)fum_shape_channels(&x->shape));
        fum_emit_push(d, (uint32_t)(first % (uint64_t)fum_shape_row_quads(&x->shape)));
        fum_emit_push(d, (uint32_t)(int32_t)call->attr[0]);
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
