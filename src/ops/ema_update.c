// SPDX-License-Identifier: MIT
// One step of an exponential moving average in place: average = decay average + (1 - decay) x.
// Where the optional last input, the factor of an update, is 0, the average stays.
#include "ops/lib/texels.h"
#include "ops/lib/update.h"
#include "shaders/ema_update.pc.h"

enum { AVERAGE, VALUE, FACTOR };
enum { READ_AGAIN = FACTOR + 1 }; // binding of the average as texels
static const struct fum_attr_def attrs[] = {{"decay", 0.999}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (call->in[AVERAGE].dtype != FUM_F32 || call->in[VALUE].dtype != FUM_F32 ||
        !fum_shape_same(&call->in[AVERAGE].shape, &call->in[VALUE].shape))
        return fum_refuse(why, "the average and the value must be f32 of one shape");
    call->out = call->in[AVERAGE];
    return fum_update_check_factor(call, FACTOR, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    bool skipped = fum_update_factor(call, FACTOR, in) == 0;
    double decay = call->attr[0];
    if (skipped) fum_update_keep(call, AVERAGE + 1, in, out);
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape) && !skipped; i++)
        out[i] = decay * in[AVERAGE][i] + (1 - decay) * in[VALUE][i];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, FUM_F32))) {
        struct fum_dispatch *d = fum_emit_quads_reading(list, "ema_update", FUM_F32, span.count,
                                                        1 << VALUE | 1 << READ_AGAIN);
        if (!d) return false;
        fum_emit_spec(d, call->has[FACTOR]);
        fum_update_emit_written(d, AVERAGE, &span);
        fum_emit_span(d, VALUE, FUM_F32, &span);
        if (call->has[FACTOR])
            fum_emit_operand(d, FACTOR);
        else
            fum_emit_span(d, VALUE, FUM_F32, &span);
        if (d->texels) fum_emit_span(d, AVERAGE, FUM_F32, &span);
        const struct fum_ema_update_push push = {.quads = (uint32_t)span.count,
                                                 .decay = (float)call->attr[0],
                                                 .rest = (float)(1 - call->attr[0])};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

const struct fum_op fum_op_ema_update = {
    .name = "ema_update",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << AVERAGE,
};
