// SPDX-License-Identifier: MIT
// Builds PNDM (Liu et al. 2022): Runge-Kutta warm-up unless skipped, then linear multistep on the
// raw model output. Each move uses the transfer function of equation 11. D is the model output
// itself here.
#include "sample/builder.h"

#include "base/error.h"

#include <math.h>

enum {
    HISTORY_KEPT = 1,
    HISTORY_SUM = 2,
    HISTORY_E = 3,
    HISTORY_COUNT = 6
}; // kept x, Runge-Kutta sum, the last three outputs

struct move {
    int from, to; // timesteps
};

// Adds the move of the state `x` between two timesteps to row 0. `out` is the combination of model
// outputs. Both are rows over the inputs.
static void transfer(struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                     const double *x, const double *out, struct move move) {
    int t = move.from, prev = move.to;
    double final_alpha =
        builder->c.set_alpha_to_one == FUM_SWITCH_ON ? 1 : builder->noise.alpha_bar[0];
    double ab = builder->noise.alpha_bar[t],
           ab_prev = prev >= 0 ? builder->noise.alpha_bar[prev] : final_alpha;
    double denominator = ab * sqrt(1 - ab_prev) + sqrt(ab * (1 - ab) * ab_prev);
    double keep = sqrt(ab_prev / ab), change = -(ab_prev - ab) / denominator;
    bool v = builder->c.prediction_type == FUM_PREDICT_V; // epsilon = sqrt(ab) v + sqrt(1 - ab) x
    for (int k = 0; k < FUM_SAMPLE_INPUTS; k++)
        ev->m[0][k] +=
            (keep + (v ? change * sqrt(1 - ab) : 0)) * x[k] + change * (v ? sqrt(ab) : 1) * out[k];
}

static struct fum_sample_eval *next_eval(struct fum_sample_builder *builder, int t, int step) {
    struct fum_sample_eval *ev = fum_sample_build_eval(builder, t, step);
    ev->b = 1;
    if (t < 0 || t >= builder->noise.count) return ev;
    ev->image_level = sqrt(builder->noise.alpha_bar[t]);
    ev->noise_level = sqrt(1 - builder->noise.alpha_bar[t]);
    fum_sample_build_guide(builder, ev, ev->image_level, ev->noise_level);
    return ev;
}

static void push_output(struct fum_sample_eval *ev) {
    ev->m[HISTORY_E][FUM_SAMPLE_D] = 1;
    ev->m[HISTORY_E + 1][HISTORY_E] = 1;
    ev->m[HISTORY_E + 2][HISTORY_E + 1] = 1;
}

// Adds one of the four evaluations (`phase`) of a Runge-Kutta step.
static void runge_kutta(struct fum_sample_builder *builder, int step, int phase) {
    int t = (int)builder->t[step], next = (int)builder->t[step + 1];
    int half = builder->noise.count / builder->steps / 2;
    static const double weight[4] = {1 / 6.0, 1 / 3.0, 1 / 3.0, 1 / 6.0};
    const int at[4] = {t, next + half, next + half, next}; // where the model is evaluated
    const int to[4] = {t - half, next + half, next, next}; // where the state moves
    struct fum_sample_eval *ev = next_eval(builder, at[phase], step);
    double x[FUM_SAMPLE_INPUTS] = {0}, out[FUM_SAMPLE_INPUTS] = {0};
    x[phase == 0 ? 0 : HISTORY_KEPT] = 1;
    out[FUM_SAMPLE_D] = 1;
    if (phase == 3) {
        out[FUM_SAMPLE_D] = weight[3];
        out[HISTORY_SUM] = 1;
    } else {
        ev->m[HISTORY_SUM][FUM_SAMPLE_D] = weight[phase];
        ev->m[HISTORY_SUM][HISTORY_SUM] = phase > 0;
        ev->m[HISTORY_KEPT][phase == 0 ? 0 : HISTORY_KEPT] = 1;
    }
    transfer(builder, ev, x, out, (struct move){t, to[phase]});
    if (phase == 0) {
        push_output(ev);
    } else {
        for (int k = 0; k < 3; k++) ev->m[HISTORY_E + k][HISTORY_E + k] = 1;
    }
}

// Adds an Adams-Bashforth step with the known outputs (this one included, at most 4).
static void multistep(struct fum_sample_builder *builder, int t, int known, int step) {
    static const double weight[4][4] = {
        {1, 0, 0, 0},
        {3 / 2.0, -1 / 2.0, 0, 0},
        {23 / 12.0, -16 / 12.0, 5 / 12.0, 0},
        {55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0},
    };
    struct fum_sample_eval *ev = next_eval(builder, t, step);
    double x[FUM_SAMPLE_INPUTS] = {0}, out[FUM_SAMPLE_INPUTS] = {0};
    x[0] = 1;
    out[FUM_SAMPLE_D] = weight[known - 1][0];
    for (int k = 1; k < known; k++) out[HISTORY_E + k - 1] = weight[known - 1][k];
    transfer(builder, ev, x, out, (struct move){t, t - builder->noise.count / builder->steps});
    push_output(ev);
    if (known == 1) ev->m[HISTORY_KEPT][0] = 1; // the correction that follows restarts from here
}

// Adds the second evaluation of a run without warm-up: the first step again, with the mean of both
// ends.
static void correct_first(struct fum_sample_builder *builder, int t, int step) {
    struct fum_sample_eval *ev = next_eval(builder, t, step);
    double x[FUM_SAMPLE_INPUTS] = {0}, out[FUM_SAMPLE_INPUTS] = {0};
    x[HISTORY_KEPT] = 1;
    out[FUM_SAMPLE_D] = out[HISTORY_E] = 0.5;
    transfer(builder, ev, x, out, (struct move){t + builder->noise.count / builder->steps, t});
    ev->m[HISTORY_E][HISTORY_E] = 1;
}

static bool is_usable(const struct fum_sample_builder *builder, bool warm_up) {
    int n = builder->steps, ratio = builder->noise.count / n;
    if (builder->c.prediction_type == FUM_PREDICT_SAMPLE) {
        fum_error_set(
            builder->err, FUM_ERR_UNSUPPORTED,
            "sampler pndm needs a model that predicts epsilon or v, not the sample: use ddim");
        return false;
    }
    if (warm_up && (n < 4 || builder->start > 0)) {
        fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                      "sampler pndm with its Runge-Kutta warm-up needs at least 4 steps from pure "
                      "noise: use more, or skip_prk_steps");
        return false;
    }
    bool inside = builder->t[n - 1] >= 0 && builder->t[0] < builder->noise.count;
    if (n > 1 && builder->start < 2)
        inside = inside && (int)builder->t[1] + ratio < builder->noise.count;
    if (!inside)
        fum_error_set(builder->err, FUM_ERR_ARG,
                      "sampler pndm with %d steps falls on timesteps outside the model's %d: use "
                      "fewer steps or a smaller steps_offset",
                      n, builder->noise.count);
    return inside;
}

static void start_at(struct fum_sample_builder *builder, int t) {
    if (!builder->program->image_scale) return;
    builder->program->image_scale = sqrt(builder->noise.alpha_bar[t]);
    builder->program->init_scale = sqrt(1 - builder->noise.alpha_bar[t]);
}

// Builds the run. Without warm-up the timesteps are t[0], t[1], t[1] again, t[2], …, of which the
// second is the correction of the first step. A start image cuts the first `start` entries of that
// list off.
bool fum_build_pndm(struct fum_sample_builder *builder) {
    bool warm_up = builder->c.skip_prk_steps != FUM_SWITCH_ON;
    int n = builder->steps;
    if (!is_usable(builder, warm_up) ||
        !fum_sample_build_reserve(builder, warm_up ? n + 9 : n + 1, HISTORY_COUNT))
        return false;
    if (warm_up) {
        for (int i = 0; i < 3; i++) {
            for (int phase = 0; phase < 4; phase++) runge_kutta(builder, i, phase);
        }
        start_at(builder, (int)builder->t[0]);
        for (int i = 3; i < n; i++) multistep(builder, (int)builder->t[i], 4, i);
        return true;
    }
    int entries = n > 1 ? n + 1 : 1, known = 0;
    for (int e = builder->start; e < entries; e++) {
        int t = (int)builder->t[e < 2 ? e : e - 1], count = e - builder->start;
        if (count == 0) start_at(builder, t);
        if (count == 1) {
            correct_first(builder, t, 0);
            continue;
        }
        known = known < 4 ? known + 1 : 4;
        multistep(builder, t, known, count == 0 ? 0 : count - 1);
    }
    return true;
}
