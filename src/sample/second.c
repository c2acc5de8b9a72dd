// SPDX-License-Identifier: MIT
// Builds samplers in sigma space with two evaluations a step: heun, dpm2, dpm2_a, dpm++2s_a,
// dpm++sde.
//
// Each step evaluates the model at its start and moves history[0] to a trial point, while
// history[1] keeps the start. It evaluates there, and finishes from history[1]. A step to sigma 0
// is one Euler step.
#include "sample/builder.h"

#include <math.h>

// True if step i leads to sigma 0.
static bool is_final(const struct fum_sample_builder *builder, int i) {
    return builder->sigma[i + 1] == 0;
}

static bool reserve_evals(struct fum_sample_builder *builder, int history) {
    int halves = 2 * (builder->steps - builder->start);
    return fum_sample_build_reserve(
        builder, is_final(builder, builder->steps - 1) ? halves - 1 : halves, history);
}

// Adds the evaluation that begins step i: Euler to sigma `to`, keeping x in history[1].
static struct fum_sample_eval *first_half(struct fum_sample_builder *builder, int i, double to) {
    struct fum_sample_eval *ev = fum_sample_build_eval(builder, builder->t[i], i - builder->start);
    double ratio = to / builder->sigma[i];
    fum_sample_build_denoise_sigma(builder, ev, builder->sigma[i]);
    ev->m[0][0] = ratio;
    ev->m[0][FUM_SAMPLE_D] = 1 - ratio;
    if (!is_final(builder, i)) ev->m[1][0] = 1;
    return ev;
}

// Adds the step to sigma 0, which is its first half alone. Returns false if i is another one.
static bool add_final(struct fum_sample_builder *builder, int i) {
    if (!is_final(builder, i)) return false;
    first_half(builder, i, 0);
    return true;
}

// Builds Heun's method (Karras et al. 2022, algorithm 1 without churn), the mean of the derivatives
// at both ends. history[2] holds the first one.
bool fum_build_heun(struct fum_sample_builder *builder) {
    if (!reserve_evals(builder, 3)) return false;
    double clip = builder->c.clip_sample == FUM_SWITCH_ON ? builder->c.clip_sample_range : 0;
    for (int i = builder->start; i < builder->steps; i++) {
        double s = builder->sigma[i], next = builder->sigma[i + 1], half = (next - s) / 2;
        struct fum_sample_eval *ev = first_half(builder, i, next);
        ev->clip = clip;
        if (is_final(builder, i)) break;
        ev->m[2][0] = 1 / s;
        ev->m[2][FUM_SAMPLE_D] = -1 / s;
        double t = i + 1 < builder->steps ? builder->t[i + 1]
                                          : fum_sample_build_sigma_to_t(builder, next, false);
        ev = fum_sample_build_eval(builder, t, i - builder->start);
        fum_sample_build_denoise_sigma(builder, ev, next);
        ev->clip = clip;
        ev->m[0][0] = half / next;
        ev->m[0][FUM_SAMPLE_D] = -half / next;
        ev->m[0][1] = 1;
        ev->m[0][2] = half;
    }
    return true;
}

// Adds the evaluation at the trial point of sigma `middle`: x + (x_trial - D) / middle * (to -
// from), with x in history[1].
static struct fum_sample_eval *second_half(struct fum_sample_builder *builder, int i, double middle,
                                           double to) {
    double t = fum_sample_build_sigma_to_t(builder, middle, true),
           slope = (to - builder->sigma[i]) / middle;
    struct fum_sample_eval *ev = fum_sample_build_eval(builder, t, i - builder->start);
    fum_sample_build_denoise_sigma(builder, ev, middle);
    ev->noise_level = builder->sigma[i + 1]; // the reference knows the levels of steps alone
    ev->m[0][0] = slope;
    ev->m[0][FUM_SAMPLE_D] = -slope;
    ev->m[0][1] = 1;
    return ev;
}

// Returns the sigma halfway in log space, in the f32 steps of the reference.
static double log_middle(double a, double b) {
    return (float)exp(0.5 * (log(a) + log(b)));
}

// Builds DPM-Solver-2 in Karras et al.'s form, the midpoint method with the midpoint in log sigma.
bool fum_build_dpm2(struct fum_sample_builder *builder) {
    if (!reserve_evals(builder, 2)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double next = builder->sigma[i + 1];
        if (add_final(builder, i)) break;
        double middle = log_middle(builder->sigma[i], next);
        first_half(builder, i, middle);
        second_half(builder, i, middle, next);
    }
    return true;
}

bool fum_build_dpm2_a(struct fum_sample_builder *builder) {
    if (!reserve_evals(builder, 2)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        if (add_final(builder, i)) break;
        double up, down;
        fum_sample_build_ancestral(builder, builder->sigma[i], builder->sigma[i + 1], &down, &up);
        double middle = log_middle(builder->sigma[i], down);
        first_half(builder, i, middle);
        struct fum_sample_eval *ev = second_half(builder, i, middle, down);
        if (builder->eta > 0) fum_sample_build_noise(builder, ev, 0, up);
    }
    return true;
}

// Builds DPM-Solver++(2S) (Lu et al. 2022, algorithm 1, r = 1/2) to the ancestral sigma, as
// k-diffusion's sample_dpmpp_2s_ancestral does: exponential steps in -log sigma.
bool fum_build_dpmpp_2s_a(struct fum_sample_builder *builder) {
    if (!reserve_evals(builder, 2)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        if (add_final(builder, i)) break;
        double up, down;
        fum_sample_build_ancestral(builder, builder->sigma[i], builder->sigma[i + 1], &down, &up);
        double middle = sqrt(builder->sigma[i] * down), ratio = down / builder->sigma[i]; // e^-h
        // sigma_mid / sigma * x - expm1(-h / 2) * D is Euler to sigma_mid
        first_half(builder, i, middle);
        struct fum_sample_eval *ev = fum_sample_build_eval(
            builder, fum_sample_build_sigma_to_t(builder, middle, false), i - builder->start);
        fum_sample_build_denoise_sigma(builder, ev, middle);
        ev->m[0][1] = ratio;
        ev->m[0][FUM_SAMPLE_D] = 1 - ratio;
        if (builder->eta > 0) fum_sample_build_noise(builder, ev, 0, up);
    }
    return true;
}

// Builds DPM-Solver++ as an SDE with midpoint r = 1/2, both halves ancestral. The reference takes
// its noise from a Brownian tree. Here the two draws of a step are independent, as in k-diffusion
// without a tree.
bool fum_build_dpmpp_sde(struct fum_sample_builder *builder) {
    if (!reserve_evals(builder, 2)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        if (add_final(builder, i)) break;
        double s = builder->sigma[i], middle = sqrt(s * builder->sigma[i + 1]);
        double exact = sqrt(builder->exact[i] * builder->exact[i + 1]);
        double up, down;
        fum_sample_build_ancestral(builder, s, middle, &down, &up);
        struct fum_sample_eval *ev = first_half(builder, i, down);
        if (builder->eta > 0) fum_sample_build_noise(builder, ev, 0, up);
        fum_sample_build_ancestral(builder, s, builder->sigma[i + 1], &down, &up);
        ev = fum_sample_build_eval(builder, fum_sample_build_sigma_to_t(builder, exact, false),
                                   i - builder->start);
        fum_sample_build_denoise_sigma(builder, ev, middle);
        ev->noise_level = builder->sigma[i + 1];
        ev->m[0][1] = down / s;
        ev->m[0][FUM_SAMPLE_D] = 1 - down / s;
        if (builder->eta > 0) fum_sample_build_noise(builder, ev, 0, up);
    }
    return true;
}
