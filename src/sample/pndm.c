// SPDX-License-Identifier: MIT
// PNDM (Liu et al. 2022): Runge-Kutta warm-up unless skipped, then linear multistep on the raw
// model output, each moved by the transfer function of equation 11. D is the model output itself
// here.
#include "sample/plan.h"

#include "base/error.h"

#include <math.h>

enum {
    SLOT_KEPT = 1,
    SLOT_SUM = 2,
    SLOT_E = 3,
    SLOTS = 6
}; // kept x, Runge-Kutta sum, the last three outputs

// Adds to row 0: the move of the state `x` from timestep t to prev, where `out` is the combination
// of model outputs. Both are rows over the inputs.
static void transfer(struct fum_sample_plan *plan, struct fum_sample_eval *ev, const double *x,
                     const double *out, int t, int prev) {
    double final_alpha = plan->c.set_alpha_to_one == FUM_SWITCH_ON ? 1 : plan->alpha_bar[0];
    double ab = plan->alpha_bar[t], ab_prev = prev >= 0 ? plan->alpha_bar[prev] : final_alpha;
    double denominator = ab * sqrt(1 - ab_prev) + sqrt(ab * (1 - ab) * ab_prev);
    double keep = sqrt(ab_prev / ab), move = -(ab_prev - ab) / denominator;
    bool v = plan->c.prediction_type == FUM_PREDICT_V; // epsilon = sqrt(ab) v + sqrt(1 - ab) x
    for (int k = 0; k < FUM_SAMPLE_INPUTS; k++)
        ev->m[0][k] +=
            (keep + (v ? move * sqrt(1 - ab) : 0)) * x[k] + move * (v ? sqrt(ab) : 1) * out[k];
}

static struct fum_sample_eval *next_eval(struct fum_sample_plan *plan, int t, int step) {
    struct fum_sample_eval *ev = fum_plan_eval(plan, t, step);
    ev->b = 1;
    return ev;
}

static void push_output(struct fum_sample_eval *ev) {
    ev->m[SLOT_E][FUM_SAMPLE_D] = 1;
    ev->m[SLOT_E + 1][SLOT_E] = 1;
    ev->m[SLOT_E + 2][SLOT_E + 1] = 1;
}

// One of the four evaluations of a Runge-Kutta step from `t` to `next`, with half a step of `half`.
static void runge_kutta(struct fum_sample_plan *plan, int t, int next, int half, int phase,
                        int step) {
    static const double weight[4] = {1 / 6.0, 1 / 3.0, 1 / 3.0, 1 / 6.0};
    const int at[4] = {t, next + half, next + half, next}; // where the model is evaluated
    const int to[4] = {t - half, next + half, next, next}; // where the state moves
    struct fum_sample_eval *ev = next_eval(plan, at[phase], step);
    double x[FUM_SAMPLE_INPUTS] = {0}, out[FUM_SAMPLE_INPUTS] = {0};
    x[phase == 0 ? 0 : SLOT_KEPT] = 1;
    out[FUM_SAMPLE_D] = 1;
    if (phase == 3) {
        out[FUM_SAMPLE_D] = weight[3];
        out[SLOT_SUM] = 1;
    } else {
        ev->m[SLOT_SUM][FUM_SAMPLE_D] = weight[phase];
        ev->m[SLOT_SUM][SLOT_SUM] = phase > 0;
        ev->m[SLOT_KEPT][phase == 0 ? 0 : SLOT_KEPT] = 1;
    }
    transfer(plan, ev, x, out, t, to[phase]);
    if (phase == 0) {
        push_output(ev);
    } else {
        for (int k = 0; k < 3; k++) ev->m[SLOT_E + k][SLOT_E + k] = 1;
    }
}

// Adams-Bashforth with as many outputs as are known (this one included, at most 4).
static void multistep(struct fum_sample_plan *plan, int t, int known, int step) {
    static const double weight[4][4] = {
        {1, 0, 0, 0},
        {3 / 2.0, -1 / 2.0, 0, 0},
        {23 / 12.0, -16 / 12.0, 5 / 12.0, 0},
        {55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0},
    };
    struct fum_sample_eval *ev = next_eval(plan, t, step);
    double x[FUM_SAMPLE_INPUTS] = {0}, out[FUM_SAMPLE_INPUTS] = {0};
    x[0] = 1;
    out[FUM_SAMPLE_D] = weight[known - 1][0];
    for (int k = 1; k < known; k++) out[SLOT_E + k - 1] = weight[known - 1][k];
    transfer(plan, ev, x, out, t, t - plan->train / plan->steps);
    push_output(ev);
    if (known == 1) ev->m[SLOT_KEPT][0] = 1; // the correction that follows restarts from here
}

// The second evaluation of a run without warm-up: the first step again, with the mean of both ends.
static void correct_first(struct fum_sample_plan *plan, int t, int step) {
    struct fum_sample_eval *ev = next_eval(plan, t, step);
    double x[FUM_SAMPLE_INPUTS] = {0}, out[FUM_SAMPLE_INPUTS] = {0};
    x[SLOT_KEPT] = 1;
    out[FUM_SAMPLE_D] = out[SLOT_E] = 0.5;
    transfer(plan, ev, x, out, t + plan->train / plan->steps, t);
    ev->m[SLOT_E][SLOT_E] = 1;
}

static bool usable(const struct fum_sample_plan *plan, bool warm_up) {
    int n = plan->steps, ratio = plan->train / n;
    if (plan->c.prediction_type == FUM_PREDICT_SAMPLE) {
        fum_error_set(plan->err, FUM_ERR_UNSUPPORTED,
                      "sampler pndm needs a model that predicts epsilon or v, not the "
                      "sample: use ddim");
        return false;
    }
    if (warm_up && (n < 4 || plan->start > 0)) {
        fum_error_set(plan->err, FUM_ERR_UNSUPPORTED,
                      "sampler pndm with its Runge-Kutta warm-up needs at least 4 steps "
                      "from pure noise: use more, or skip_prk_steps");
        return false;
    }
    bool inside = plan->t[n - 1] >= 0 && plan->t[0] < plan->train;
    if (n > 1 && plan->start < 2) inside = inside && (int)plan->t[1] + ratio < plan->train;
    if (!inside)
        fum_error_set(plan->err, FUM_ERR_ARG,
                      "sampler pndm with %d steps falls on timesteps outside the model's %d: use "
                      "fewer steps or a smaller steps_offset",
                      n, plan->train);
    return inside;
}

static void start_at(struct fum_sample_plan *plan, int t) {
    if (!plan->program->image_scale) return;
    plan->program->image_scale = sqrt(plan->alpha_bar[t]);
    plan->program->init_scale = sqrt(1 - plan->alpha_bar[t]);
}

// Without warm-up the timesteps are t[0], t[1], t[1] again, t[2], …: the second one is the
// correction of the first step. A start image cuts the first `start` entries of that list off.
bool fum_build_pndm(struct fum_sample_plan *plan) {
    bool warm_up = plan->c.skip_prk_steps != FUM_SWITCH_ON;
    int n = plan->steps, half = plan->train / n / 2;
    if (!usable(plan, warm_up) || !fum_plan_reserve(plan, warm_up ? n + 9 : n + 1, SLOTS))
        return false;
    if (warm_up) {
        for (int i = 0; i < 3; i++) {
            for (int phase = 0; phase < 4; phase++)
                runge_kutta(plan, (int)plan->t[i], (int)plan->t[i + 1], half, phase, i);
        }
        start_at(plan, (int)plan->t[0]);
        for (int i = 3; i < n; i++) multistep(plan, (int)plan->t[i], 4, i);
        return true;
    }
    int entries = n > 1 ? n + 1 : 1, known = 0;
    for (int e = plan->start; e < entries; e++) {
        int t = (int)plan->t[e < 2 ? e : e - 1], count = e - plan->start;
        if (count == 0) start_at(plan, t);
        if (count == 1) {
            correct_first(plan, t, 0);
            continue;
        }
        known = known < 4 ? known + 1 : 4;
        multistep(plan, t, known, count == 0 ? 0 : count - 1);
    }
    return true;
}
