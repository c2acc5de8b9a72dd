// SPDX-License-Identifier: MIT
// The row of adam_update from a counter of updates done, k, an i32 [1]: the rate, 1 - beta1^(k + 1)
// and 1 - beta2^(k + 1), f32 [3]. The rate is lr min(1, (k + 1) / warmup) s. From k = warmup on,
// with r = (steps - k) / (steps - warmup), s is r in a linear schedule and sin^2(pi r / 2) in a
// cosine one. Otherwise s is 1.
#include <math.h>

#include "ops/lib/emit.h"
#include "shaders/learning_rate.pc.h"

enum { LR, SCHEDULE, WARMUP, STEPS, BETA_1, BETA_2 };
enum { CONSTANT, LINEAR, COSINE };
static const struct fum_attr_def attrs[] = {[LR] = {"lr", 0.001},
                                            [SCHEDULE] = {"schedule", CONSTANT},
                                            [WARMUP] = {"warmup", 0},
                                            [STEPS] = {"steps", 1},
                                            [BETA_1] = {"beta1", 0.9},
                                            [BETA_2] = {"beta2", 0.999},
                                            {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t value;
    if (!fum_attr_int(call->attr[SCHEDULE], (struct fum_attr_range){"schedule", CONSTANT, COSINE},
                      &value, why) ||
        !fum_attr_int(call->attr[WARMUP], (struct fum_attr_range){"warmup", 0, INT32_MAX}, &value,
                      why) ||
        !fum_attr_int(call->attr[STEPS], (struct fum_attr_range){"steps", 1, INT32_MAX}, &value,
                      why))
        return false;
    for (int i = BETA_1; i <= BETA_2; i++)
        if (!(call->attr[i] >= 0 && call->attr[i] < 1))
            return fum_refuse(why, "beta1 and beta2 must be at least 0 and below 1");
    if (!fum_is_counter(&call->in[0])) return fum_refuse(why, "the counter must be i32 [1]");
    call->out = (struct fum_desc){{1, {3}}, FUM_F32};
    return true;
}

// Returns the part s of the rate.
static double schedule_at(const double *attr, double k) {
    double left = attr[STEPS] - attr[WARMUP], r = left > 0 ? (attr[STEPS] - k) / left : 1;
    if (attr[SCHEDULE] == CONSTANT || k < attr[WARMUP]) return 1;
    if (r < 0) r = 0;
    double wave = sin(3.14159265358979323846 / 2 * r);
    return attr[SCHEDULE] == LINEAR ? r : wave * wave;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const double *attr = call->attr;
    double k = in[0][0], warm = attr[WARMUP] > 0 ? (k + 1) / attr[WARMUP] : 1;
    out[0] = attr[LR] * (warm < 1 ? warm : 1) * schedule_at(attr, k);
    for (int i = 0; i < 2; i++) out[1 + i] = -expm1((k + 1) * log(attr[BETA_1 + i]));
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const double *attr = call->attr;
    struct fum_dispatch *d = fum_emit(list, "learning_rate", FUM_F32, 1);
    if (!d) return false;
    fum_emit_spec(d, (uint32_t)attr[SCHEDULE]);
    fum_emit_operand(d, 0);
    fum_emit_operand(d, FUM_OUT);
    const struct fum_learning_rate_push push = {
        .lr = (float)attr[LR],
        .warmup = (int32_t)attr[WARMUP],
        .steps = (int32_t)attr[STEPS],
        // A beta of 0 has no logarithm; any large one gives a correction of 1.
        .log_beta1 = attr[BETA_1] > 0 ? (float)log(attr[BETA_1]) : -100,
        .log_beta2 = attr[BETA_2] > 0 ? (float)log(attr[BETA_2]) : -100};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_learning_rate = {
    .name = "learning_rate",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
