// SPDX-License-Identifier: MIT
#include "ops/lib/unary.h"

#include "ops/lib/texels.h"
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
    case FUM_ACT_EXP: return exp(x);
    case FUM_ACT_EXPM1: return expm1(x);
    case FUM_ACT_LOG: return log(x);
    case FUM_ACT_SQRT: return sqrt(x);
    case FUM_ACT_SQUARE: return x * x;
    case FUM_ACT_RECIPROCAL: return 1 / x;
    }
    return x;
}

double fum_act_derivative(enum fum_act act, double x) {
    const double pi = 3.14159265358979323846, c = sqrt(2 / pi);
    double s, t;
    switch (act) {
    case FUM_ACT_NONE: return 1;
    case FUM_ACT_SILU: s = 1 / (1 + exp(-x)); return s + x * s * (1 - s);
    case FUM_ACT_GELU: return 0.5 * erfc(-x / sqrt(2.0)) + x * exp(-0.5 * x * x) / sqrt(2 * pi);
    case FUM_ACT_GELU_TANH:
        t = tanh(c * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
    case FUM_ACT_QUICK_GELU: s = 1 / (1 + exp(-1.702 * x)); return s + 1.702 * x * s * (1 - s);
    case FUM_ACT_RELU: return x > 0;
    case FUM_ACT_TANH: t = tanh(x); return 1 - t * t;
    case FUM_ACT_SIGMOID: s = 1 / (1 + exp(-x)); return s * (1 - s);
    case FUM_ACT_EXP:
    case FUM_ACT_EXPM1: return exp(x);
    case FUM_ACT_LOG: return 1 / x;
    case FUM_ACT_SQRT: return 0.5 / sqrt(x);
    case FUM_ACT_SQUARE: return 2 * x;
    case FUM_ACT_RECIPROCAL: return -1 / (x * x);
    }
    return 1;
}

bool fum_unary_gradient(struct fum_gradient *g, enum fum_act act) {
    const struct fum_attr attrs[] = {{"act", act}, {0}};
    fum_tensor *in[] = {g->node->in[0], g->dout};
    g->grad[0] = fum_gradient_add(g, "unary_gradient", (struct fum_inputs){in, 2}, attrs);
    return true;
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
        struct fum_dispatch *d = fum_emit_quads_reading(list, "unary", dtype, span.count, 1);
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
