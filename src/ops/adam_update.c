// SPDX-License-Identifier: MIT
// One update of a parameter by Adam: Kingma and Ba, "Adam" (2015), and with "decoupled" weight
// decay Loshchilov and Hutter, "Decoupled weight decay regularization" (2019). Writes the parameter
// and its two moments. The row holds what changes from step to step: the rate, 1 - beta1^t and 1 -
// beta2^t. The optional last input is a factor of the gradient, such as a clip by its norm. Where
// it is 0 the update is skipped, even if the gradient is not a number.
#include <math.h>

#include "ops/lib/texels.h"
#include "ops/lib/update.h"
#include "shaders/adam_update.pc.h"

enum { PARAMETER, FIRST, SECOND, GRADIENT, ROW, FACTOR };
enum { READ_AGAIN = FACTOR + 1 }; // binding of the first of three inputs as texels
enum { RATE, CORRECTION_1, CORRECTION_2, ROW_SIZE };
enum { BETA_1, BETA_2, EPS, WEIGHT_DECAY, DECOUPLED };
static const struct fum_attr_def attrs[] = {
    [BETA_1] = {"beta1", 0.9},      [BETA_2] = {"beta2", 0.999},
    [EPS] = {"eps", 1e-8},          [WEIGHT_DECAY] = {"weight_decay", 0},
    [DECOUPLED] = {"decoupled", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    for (int i = 0; i < call->num_inputs; i++)
        if (call->has[i] && call->in[i].dtype != FUM_F32)
            return fum_refuse(why, "all inputs must be f32");
    for (int i = FIRST; i <= GRADIENT; i++)
        if (!fum_shape_same(&call->in[i].shape, &call->in[PARAMETER].shape))
            return fum_refuse(why, "the moments and the gradient must have the parameter's shape");
    if (fum_shape_count(&call->in[ROW].shape) != ROW_SIZE ||
        fum_shape_channels(&call->in[ROW].shape) != ROW_SIZE)
        return fum_refuse(why, "the row must hold %d numbers", ROW_SIZE);
    if (!fum_update_check_factor(call, FACTOR, why)) return false;
    call->out = call->in[PARAMETER];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const double *row = in[ROW], *attr = call->attr;
    int64_t count = fum_shape_count(&call->out.shape);
    double factor = fum_update_factor(call, FACTOR, in);
    if (factor == 0) {
        fum_update_keep(call, SECOND + 1, in, out);
        return;
    }
    double decoupled = attr[DECOUPLED] != 0 ? attr[WEIGHT_DECAY] : 0,
           coupled = attr[DECOUPLED] != 0 ? 0 : attr[WEIGHT_DECAY];
    for (int64_t i = 0; i < count; i++) {
        double p = in[PARAMETER][i], g = in[GRADIENT][i] * factor + coupled * p;
        double m = attr[BETA_1] * in[FIRST][i] + (1 - attr[BETA_1]) * g;
        double v = attr[BETA_2] * in[SECOND][i] + (1 - attr[BETA_2]) * g * g;
        p -= row[RATE] * decoupled * p;
        p -= row[RATE] * (m / row[CORRECTION_1]) / (sqrt(v / row[CORRECTION_2]) + attr[EPS]);
        out[i] = p;
        out[count + i] = m;
        out[2 * count + i] = v;
    }
}

static bool emit_span(const struct fum_op_call *call, struct fum_dispatches *list,
                      const struct fum_span *span) {
    const double *attr = call->attr;
    struct fum_dispatch *d = fum_emit_quads_reading(list, "adam_update", FUM_F32, span->count,
                                                    1 << GRADIENT | 7 << READ_AGAIN);
    if (!d) return false;
    FUM_EMIT_SPECS(d, attr[DECOUPLED] != 0, call->has[FACTOR]);
    for (int i = PARAMETER; i <= SECOND; i++) fum_update_emit_written(d, i, span);
    fum_emit_span(d, GRADIENT, FUM_F32, span);
    fum_emit_operand(d, ROW);
    fum_emit_operand(d, call->has[FACTOR] ? FACTOR : ROW);
    for (int i = PARAMETER; i <= SECOND && d->texels; i++) fum_emit_span(d, i, FUM_F32, span);
    const struct fum_adam_update_push push = {.quads = (uint32_t)span->count,
                                              .beta1 = (float)attr[BETA_1],
                                              .rest1 = (float)(1 - attr[BETA_1]),
                                              .beta2 = (float)attr[BETA_2],
                                              .rest2 = (float)(1 - attr[BETA_2]),
                                              .eps = (float)attr[EPS],
                                              .decay = (float)attr[WEIGHT_DECAY]};
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, FUM_F32)))
        if (!emit_span(call, list, &span)) return false;
    return true;
}

const struct fum_op fum_op_adam_update = {
    .name = "adam_update",
    .attrs = attrs,
    .min_inputs = 5,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << PARAMETER | 1 << FIRST | 1 << SECOND,
};
