// SPDX-License-Identifier: MIT
// Builds SA-Solver: Xue et al., "SA-Solver: stochastic Adams solver for fast sampling of diffusion
// models" (2023). As in diffusers, it predicts data; predictor and corrector have order 2.
#include "sample/builder.h"

#include <math.h>

// x, the corrected x of the last step, its prediction, and its noise: the corrector takes the same
// noise as the predictor before it
enum { HISTORY_LAST = 1, HISTORY_M = 2, HISTORY_NOISE = 3, HISTORY_COUNT = 4 };

// Returns the share of the noise at a timestep: all of it in the middle of the way, none at its
// ends.
static double tau_at(const struct fum_sample_builder *builder, int i) {
    return builder->t[i] >= 200 && builder->t[i] <= 800 ? builder->eta : 0;
}

// Factors of a step between two noise levels: of x, the noise, the prediction at the first level
// and that at another one.
struct step {
    double x, noise, first, other;
};

// Levels of a step in lambda, log(alpha / sigma).
struct levels {
    double from, to;
    double other; // of the other prediction
    bool correct; // that one is at the end
};

// Integrates over [from, to], times exp(-g to), the function exp(g x) and x exp(g x).
static void integrate(double g, const struct levels *l, double *plain, double *linear) {
    double decay = exp(-g * (l->to - l->from));
    *plain = (1 - decay) / g;
    *linear = ((g * l->to - 1) - (g * l->from - 1) * decay) / (g * g);
}

// Returns diffusers' change of the weights of order 2. It leaves the order as it is.
static double adjustment(double g, const struct levels *l) {
    double h = l->to - l->from, rest = (h * g - 1 + exp(-g * h)) / (g * g);
    return l->correct ? h / 2 - rest / h : (h * h / 2 - rest) / (l->from - l->other);
}

static struct step step_between(const struct levels *l, double tau, double sigma_from,
                                double sigma_to) {
    if (sigma_to == 0) return (struct step){.first = 1}; // the prediction itself
    double g = 1 + tau * tau, h = l->to - l->from, plain, linear;
    struct step st = {.x = exp(-tau * tau * h) * sigma_to / sigma_from,
                      .noise = sigma_to * sqrt(-expm1(-2 * tau * tau * h))};
    // (1 + tau²) sigma_to exp(-tau² to), times the exp(g to) that integrate leaves out
    double scale = g * sigma_to * exp(l->to);
    integrate(g, l, &plain, &linear);
    if (l->from == l->other) { // order 1
        st.first = scale * plain;
        return st;
    }
    double change = adjustment(g, l), first = (linear - l->other * plain) / (l->from - l->other),
           other = (linear - l->from * plain) / (l->other - l->from);
    // diffusers adds the change to the newest prediction
    st.first = scale * (first + (l->correct ? -change : change));
    st.other = scale * (other + (l->correct ? change : -change));
    return st;
}

static double lambda_of(double ratio) {
    return -log(ratio);
}

// Returns the corrected x of step i as a row over history and D.
static void correct(const struct fum_sample_builder *builder, int i, double *row) {
    const double *sigma = builder->sigma;
    const struct levels l = {lambda_of(sigma[i - 1]), lambda_of(sigma[i]), lambda_of(sigma[i]),
                             true};
    struct step st = step_between(&l, tau_at(builder, i - 1),
                                  sigma[i - 1] * fum_sample_build_alpha(builder, sigma[i - 1]),
                                  sigma[i] * fum_sample_build_alpha(builder, sigma[i]));
    row[HISTORY_LAST] = st.x;
    row[HISTORY_NOISE] = st.noise;
    row[HISTORY_M] = st.first;
    row[FUM_SAMPLE_D] = st.other;
}

// Returns the order of the predictor of step i: 1 at the start, and at the end unless the settings
// keep 2.
static int order_at(const struct fum_sample_builder *builder, int i) {
    bool last = i + 1 == builder->steps && builder->c.lower_order_final == FUM_SWITCH_ON;
    return i == builder->start || last ? 1 : 2;
}

bool fum_build_sa_solver(struct fum_sample_builder *builder) {
    const double *sigma = builder->sigma;
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, HISTORY_COUNT))
        return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double row[FUM_SAMPLE_INPUTS] = {0}, alpha = fum_sample_build_alpha(builder, sigma[i]),
               alpha_next = fum_sample_build_alpha(builder, sigma[i + 1]);
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_vp(builder, ev, alpha, sigma[i] * alpha);
        if (i > builder->start)
            correct(builder, i, row);
        else
            row[0] = 1;
        double from = lambda_of(sigma[i]);
        const struct levels l = {from, lambda_of(sigma[i + 1]),
                                 order_at(builder, i) > 1 ? lambda_of(sigma[i - 1]) : from, false};
        struct step st =
            step_between(&l, tau_at(builder, i), sigma[i] * alpha, sigma[i + 1] * alpha_next);
        for (int k = 0; k < FUM_SAMPLE_INPUTS; k++) {
            ev->m[HISTORY_LAST][k] = row[k];
            ev->m[0][k] = st.x * row[k];
        }
        ev->m[0][FUM_SAMPLE_D] += st.first;
        ev->m[0][HISTORY_M] += st.other;
        ev->m[HISTORY_M][FUM_SAMPLE_D] = 1;
        fum_sample_build_noise(builder, ev, 0, st.noise);
        ev->m[HISTORY_NOISE][FUM_SAMPLE_NOISE] = 1;
    }
    return true;
}
