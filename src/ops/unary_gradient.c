// SPDX-License-Identifier: MIT
// The gradient of an element-by-element op: dy act'(x) where x is between min and max, else 0.
// "act" is an enum fum_act; FUM_ACT_NONE with bounds is the gradient of clamp.
#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/unary_gradient.pc.h"

#include <math.h>

enum { ACT, MIN, MAX };
static const struct fum_attr_def attrs[] = {
    [ACT] = {"act", FUM_ACT_NONE}, [MIN] = {"min", -INFINITY}, [MAX] = {"max", INFINITY}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t act;
    if (!fum_attr_int(call->attr[ACT],
                      (struct fum_attr_range){"act", FUM_ACT_NONE, FUM_ACT_RECIPROCAL}, &act, why))
        return false;
    if (!fum_is_storage(call->in[0].dtype) || call->in[0].dtype != call->in[1].dtype ||
        !fum_shape_same(&call->in[0].shape, &call->in[1].shape))
        return fum_refuse(why, "x and dy must have one shape and storage type");
    call->out = call->in[0];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    double least = (float)call->attr[MIN], most = (float)call->attr[MAX];
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        double x = in[0][i];
        bool outside = x < least || x > most;
        out[i] = outside ? 0 : in[1][i] * fum_act_derivative((enum fum_act)call->attr[ACT], x);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    enum fum_dtype dtype = call->out.dtype;
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, dtype))) {
        struct fum_dispatch *d =
            fum_emit_quads_reading(list, "unary_gradient", dtype, span.count, 3);
        if (!d) return false;
        fum_emit_spec(d, (uint32_t)call->attr[ACT]);
        fum_emit_span(d, 0, dtype, &span);
        fum_emit_span(d, 1, dtype, &span);
        fum_emit_span(d, FUM_OUT, dtype, &span);
        const struct fum_unary_gradient_push push = {.quads = (uint32_t)span.count,
                                                     .least = (float)call->attr[MIN],
                                                     .most = (float)call->attr[MAX]};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

extern const struct fum_op fum_op_unary_gradient;

fum_tensor *fum_unary_gradient_source(const fum_tensor *dx, const fum_tensor *x,
                                      enum fum_act *act) {
    if (!dx || dx->op != &fum_op_unary_gradient || dx->in[0] != x) return NULL;
    *act = (enum fum_act)dx->attr[ACT];
    bool bounded = isfinite(dx->attr[MIN]) || isfinite(dx->attr[MAX]);
    return *act > FUM_ACT_NONE && *act <= FUM_ACT_SIGMOID && !bounded ? dx->in[1] : NULL;
}

const struct fum_op fum_op_unary_gradient = {
    .name = "unary_gradient",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flags = FUM_OP_IN_PLACE,
};
