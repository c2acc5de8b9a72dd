// SPDX-License-Identifier: MIT
#include "ops/lib/unary.h"

#include "base/macros.h"

#include <math.h>
#include <stdio.h>

double fum_act_reference(enum fum_act act, double x) {
    switch (act) {
    case FUM_ACT_NONE: return x;
    case FUM_ACT_SILU: return x / (1 + exp(-x));
    // x Φ(x); erfc keeps the digits of the negative tail
    case FUM_ACT_GELU: return 0.5 * x * erfc(-x / sqrt(2.0));
    case FUM_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case FUM_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case FUM_ACT_RELU: return x > 0 ? x : 0;
    case FUM_ACT_TANH: return tanh(x);
    case FUM_ACT_SIGMOID: return 1 / (1 + exp(-x));
    }
    return x;
}

bool fum_unary_infer(struct fum_op_call *call, struct fum_why *why) {
    (void)why;
    call->out = call->in[0];
    return true;
}

uint64_t fum_quads_per_binding(const struct fum_device_info *info, enum fum_dtype dtype) {
    uint64_t bytes = info->max_binding / info->binding_align * info->binding_align;
    return bytes / (4 * fum_dtype_size(dtype));
}

bool fum_unary_dispatch(const struct fum_op_call *call, enum fum_act act,
                        struct fum_dispatches *list) {
    const struct fum_desc *d = &call->out;
    uint64_t total = (uint64_t)fum_shape_rows(&d->shape) * (uint64_t)fum_shape_row_quads(&d->shape);
    uint64_t each = fum_quads_per_binding(list->info, d->dtype),
             quad_bytes = 4 * fum_dtype_size(d->dtype);
    uint32_t lanes = fum_lanes(list->info);
    for (uint64_t first = 0; first < total; first += each) {
        uint64_t quads = total - first < each ? total - first : each;
        if (list->count == FUM_MAX_DISPATCHES)
            return fum_refuse(&list->why, "needs more than %d bindings", FUM_MAX_DISPATCHES);
        struct fum_dispatch *x = &list->item[list->count++];
        *x = (struct fum_dispatch){
            .shader = "unary",
            .dtype = d->dtype,
            .spec = {lanes, 1, 1, act},
            .num_spec = 4,
            .bind = {{.operand = 0, .offset = first * quad_bytes, .bytes = quads * quad_bytes},
                     {.operand = FUM_OUT,
                      .write = true,
                      .offset = first * quad_bytes,
                      .bytes = quads * quad_bytes}},
            .num_bind = 2,
            .push = {(uint32_t)quads},
            .num_push = 1,
        };
        if (!fum_groups_1d(list->info, FUM_DIV_UP(quads, lanes), x->groups))
            return fum_refuse(&list->why, "needs more workgroups than the device has");
    }
    return true;
}

void fum_unary_reference(const struct fum_op_call *call, enum fum_act act, const double *x,
                         double *y) {
    int64_t n = fum_shape_count(&call->out.shape);
    for (int64_t i = 0; i < n; i++) y[i] = fum_act_reference(act, x[i]);
}
