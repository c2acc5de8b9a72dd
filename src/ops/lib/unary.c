// SPDX-License-Identifier: MIT
#include "ops/lib/unary.h"

#include "ops/lib/emit.h"
#include "shaders/unary.pc.h"

#include <math.h>

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

bool fum_unary_dispatch(const struct fum_op_call *call, enum fum_act act,
                        struct fum_dispatches *list) {
    enum fum_dtype dtype = call->out.dtype;
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, dtype))) {
        struct fum_dispatch *d = fum_emit(list, "unary", dtype, span.count);
        if (!d) return false;
        fum_emit_spec(d, act);
        fum_emit_span(d, 0, dtype, &span);
        fum_emit_span(d, FUM_OUT, dtype, &span);
        const struct fum_unary_push push = {.quads = (uint32_t)span.count};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

void fum_unary_reference(const struct fum_op_call *call, enum fum_act act, const double *x,
                         double *y) {
    int64_t n = fum_shape_count(&call->out.shape);
    for (int64_t i = 0; i < n; i++) y[i] = fum_act_reference(act, x[i]);
}
