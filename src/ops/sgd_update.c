// SPDX-License-Identifier: MIT
// One update of a parameter and its velocity by gradient descent, as torch.optim.SGD without
// dampening. The formulas are g = gradient + decay parameter, velocity = momentum velocity + g,
// parameter -= rate velocity. The row is that of adam_update; its first number is the rate. The
// optional last input is a factor of the gradient; where it is 0 the update is skipped.
#include "ops/lib/update.h"
#include "shaders/sgd_update.pc.h"

enum { PARAMETER, VELOCITY, GRADIENT, ROW, FACTOR };
enum { MOMENTUM, WEIGHT_DECAY };
static const struct fum_attr_def attrs[] = {
    [MOMENTUM] = {"momentum", 0}, [WEIGHT_DECAY] = {"weight_decay", 0}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    for (int i = 0; i <= ROW; i++)
        if (call->in[i].dtype != FUM_F32) return fum_refuse(why, "all inputs must be f32");
    for (int i = VELOCITY; i <= GRADIENT; i++)
        if (!fum_shape_same(&call->in[i].shape, &call->in[PARAMETER].shape))
            return fum_refuse(why, "velocity and gradient must have the parameter's shape");
    if (fum_shape_count(&call->in[ROW].shape) < 1) return fum_refuse(why, "the row has no rate");
    call->out = call->in[PARAMETER];
    return fum_update_check_factor(call, FACTOR, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t count = fum_shape_count(&call->out.shape);
    double factor = fum_update_factor(call, FACTOR, in);
    if (factor == 0) {
        fum_update_keep(call, VELOCITY + 1, in, out);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        double p = in[PARAMETER][i];
        double g = in[GRADIENT][i] * factor + call->attr[WEIGHT_DECAY] * p;
        double v = call->attr[MOMENTUM] * in[VELOCITY][i] + g;
        out[i] = p - in[ROW][0] * v;
        out[count + i] = v;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, FUM_F32))) {
        struct fum_dispatch *d = fum_emit_quads(list, "sgd_update", FUM_F32, span.count);
        if (!d) return false;
        fum_emit_spec(d, call->has[FACTOR]);
        fum_update_emit_written(d, PARAMETER, &span);
        fum_update_emit_written(d, VELOCITY, &span);
        fum_emit_span(d, GRADIENT, FUM_F32, &span);
        fum_emit_operand(d, ROW);
        fum_emit_operand(d, call->has[FACTOR] ? FACTOR : ROW);
        const struct fum_sgd_update_push push = {.quads = (uint32_t)span.count,
                                                 .momentum = (float)call->attr[MOMENTUM],
                                                 .decay = (float)call->attr[WEIGHT_DECAY]};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

const struct fum_op fum_op_sgd_update = {
    .name = "sgd_update",
    .attrs = attrs,
    .min_inputs = 4,
    .max_inputs = 5,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << PARAMETER | 1 << VELOCITY,
};
