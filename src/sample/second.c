// SPDX-License-Identifier: MIT
// Two-evaluation samplers in sigma space: heun, dpm2, dpm2_a, dpm++2s_a, dpm++sde. Each step
// evaluates the model at its start, moves slot 0 to a trial point while slot 1 keeps the start,
// evaluates there, and finishes from slot 1. The last step, to sigma 0, is one Euler step.
#include "sample/plan.h"

#include <math.h>

static bool reserve(struct fum_sample_plan *plan, int slots) {
    return fum_plan_reserve(plan, 2 * (plan->steps - plan->start) - 1, slots);
}

// The evaluation that begins step i: Euler to sigma `to`, keeping x in slot 1.
static struct fum_sample_eval *first_half(struct fum_sample_plan *plan, int i, double to) {
    struct fum_sample_eval *ev = fum_plan_eval(plan, plan->t[i], i - plan->start);
    double ratio = to / plan->sigma[i];
    fum_plan_denoise_sigma(plan, ev, plan->sigma[i]);
    ev->m[0][0] = ratio;
    ev->m[0][FUM_SAMPLE_D] = 1 - ratio;
    if (i + 1 < plan->steps) ev->m[1][0] = 1;
    return ev;
}

// Heun's method (Karras et al. 2022, algorithm 1 without churn): the mean of the derivatives at
// both ends. Slot 2 holds the first one.
bool fum_build_heun(struct fum_sample_plan *plan) {
    if (!reserve(plan, 3)) return false;
    double clip = plan->c.clip_sample == FUM_SWITCH_ON ? plan->c.clip_sample_range : 0;
    for (int i = plan->start; i < plan->steps; i++) {
        double s = plan->sigma[i], next = plan->sigma[i + 1], half = (next - s) / 2;
        struct fum_sample_eval *ev = first_half(plan, i, next);
        ev->clip = clip;
        if (i + 1 == plan->steps) break;
        ev->m[2][0] = 1 / s;
        ev->m[2][FUM_SAMPLE_D] = -1 / s;
        ev = fum_plan_eval(plan, plan->t[i + 1], i - plan->start);
        fum_plan_denoise_sigma(plan, ev, next);
        ev->clip = clip;
        ev->m[0][0] = half / next;
        ev->m[0][FUM_SAMPLE_D] = -half / next;
        ev->m[0][1] = 1;
        ev->m[0][2] = half;
    }
    return true;
}

// The evaluation at the trial point of sigma `middle`: x + (x_trial - D) / middle * (to - from), x
// in slot 1.
static struct fum_sample_eval *second_half(struct fum_sample_plan *plan, int i, double middle,
                                           double to) {
    double t = fum_plan_sigma_to_t(plan, middle, true), slope = (to - plan->sigma[i]) / middle;
    struct fum_sample_eval *ev = fum_plan_eval(plan, t, i - plan->start);
    fum_plan_denoise_sigma(plan, ev, middle);
    ev->m[0][0] = slope;
    ev->m[0][FUM_SAMPLE_D] = -slope;
    ev->m[0][1] = 1;
    return ev;
}

// The sigma halfway in log space, in the f32 steps of the reference.
static double log_middle(double a, double b) {
    return (float)exp(0.5 * (log(a) + log(b)));
}

// DPM-Solver-2 in Karras et al.'s form: the midpoint method, with the midpoint in log sigma.
bool fum_build_dpm2(struct fum_sample_plan *plan) {
    if (!reserve(plan, 2)) return false;
    for (int i = plan->start; i < plan->steps; i++) {
        double next = plan->sigma[i + 1];
        if (i + 1 == plan->steps) {
            first_half(plan, i, 0);
            break;
        }
        double middle = log_middle(plan->sigma[i], next);
        first_half(plan, i, middle);
        second_half(plan, i, middle, next);
    }
    return true;
}

bool fum_build_dpm2_a(struct fum_sample_plan *plan) {
    if (!reserve(plan, 2)) return false;
    for (int i = plan->start; i < plan->steps; i++) {
        if (i + 1 == plan->steps) {
            first_half(plan, i, 0);
            break;
        }
        double up, down;
        fum_plan_ancestral(plan, plan->sigma[i], plan->sigma[i + 1], &down, &up);
        double middle = log_middle(plan->sigma[i], down);
        first_half(plan, i, middle);
        struct fum_sample_eval *ev = second_half(plan, i, middle, down);
        if (plan->eta > 0) fum_plan_noise(plan, ev, 0, up);
    }
    return true;
}

// DPM-Solver++(2S) (Lu et al. 2022, algorithm 1, r = 1/2) to the ancestral sigma, as k-diffusion's
// sample_dpmpp_2s_ancestral: exponential steps in -log sigma.
bool fum_build_dpmpp_2s_a(struct fum_sample_plan *plan) {
    if (!reserve(plan, 2)) return false;
    for (int i = plan->start; i < plan->steps; i++) {
        if (i + 1 == plan->steps) {
            first_half(plan, i, 0);
            break;
        }
        double up, down;
        fum_plan_ancestral(plan, plan->sigma[i], plan->sigma[i + 1], &down, &up);
        double middle = sqrt(plan->sigma[i] * down), ratio = down / plan->sigma[i]; // e^-h
        // sigma_mid / sigma * x - expm1(-h / 2) * D is Euler to sigma_mid
        first_half(plan, i, middle);
        struct fum_sample_eval *ev =
            fum_plan_eval(plan, fum_plan_sigma_to_t(plan, middle, false), i - plan->start);
        fum_plan_denoise_sigma(plan, ev, middle);
        ev->m[0][1] = ratio;
        ev->m[0][FUM_SAMPLE_D] = 1 - ratio;
        if (plan->eta > 0) fum_plan_noise(plan, ev, 0, up);
    }
    return true;
}

// DPM-Solver++ as an SDE with midpoint r = 1/2: both halves are ancestral. The reference takes its
// noise from a Brownian tree; here the two draws of a step are independent, as k-diffusion's
// without a tree are.
bool fum_build_dpmpp_sde(struct fum_sample_plan *plan) {
    if (!reserve(plan, 2)) return false;
    for (int i = plan->start; i < plan->steps; i++) {
        if (i + 1 == plan->steps) {
            first_half(plan, i, 0);
            break;
        }
        double s = plan->sigma[i], middle = sqrt(s * plan->sigma[i + 1]);
        double exact = sqrt(plan->exact[i] * plan->exact[i + 1]);
        double up, down;
        fum_plan_ancestral(plan, s, middle, &down, &up);
        struct fum_sample_eval *ev = first_half(plan, i, down);
        if (plan->eta > 0) fum_plan_noise(plan, ev, 0, up);
        fum_plan_ancestral(plan, s, plan->sigma[i + 1], &down, &up);
        ev = fum_plan_eval(plan, fum_plan_sigma_to_t(plan, exact, false), i - plan->start);
        fum_plan_denoise_sigma(plan, ev, middle);
        ev->m[0][1] = down / s;
        ev->m[0][FUM_SAMPLE_D] = 1 - down / s;
        if (plan->eta > 0) fum_plan_noise(plan, ev, 0, up);
    }
    return true;
}
