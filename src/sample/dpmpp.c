// SPDX-License-Identifier: MIT
// Builds DPM-Solver++ multistep (Lu et al. 2022) of order 1 to 3, as an ODE and as an SDE: dpm++2m,
// dpm++2m_sde, dpm++3m_sde.
#include "sample/builder.h"

#include <math.h>

// alpha, sigma and lambda = log(alpha / sigma) of a state, from sigma / alpha.
struct point {
    double alpha, sigma, lambda;
};

static struct point point_of(const struct fum_sample_builder *builder, double ratio) {
    double alpha = fum_sample_build_alpha(builder, ratio);
    // lambda is infinite at the clean end, ratio 0
    return (struct point){alpha, ratio * alpha, -log(ratio)};
}

// Returns the order of step i. The history grows from the first step on. The last steps of short
// runs have a lower order if the settings say so, and the last one if sigma 0 makes h infinite.
static int order_at(const struct fum_sample_builder *builder, int i) {
    int left = builder->steps - i, known = i - builder->start + 1;
    bool shorten = builder->c.lower_order_final == FUM_SWITCH_ON && builder->steps < 15;
    if (left == 1 && (builder->c.euler_at_final == FUM_SWITCH_ON || shorten ||
                      builder->sigma[builder->steps] == 0))
        return 1;
    int order = builder->order < known ? builder->order : known;
    return left == 2 && shorten && order > 2 ? 2 : order;
}

// Writes the update: the state's factor, and the weights on D, D - m1 over r0 and so on, summed per
// prediction. Noise adds eta * h to the exponent, as in k-diffusion. eta 1 is diffusers' SDE, eta 0
// the ODE.
static void update(struct fum_sample_builder *builder, struct fum_sample_eval *ev, int i,
                   int order) {
    struct point t = point_of(builder, builder->sigma[i + 1]),
                 s = point_of(builder, builder->sigma[i]);
    double h = t.lambda - s.lambda, *row = ev->m[0];
    double eta = builder->sde ? builder->eta : 0;
    double g = builder->sde ? (1 + eta) * h : h, decay = exp(-g),
           phi = -expm1(-g); // phi = 1 - e^-g
    row[0] = t.sigma / s.sigma * (builder->sde ? exp(-eta * h) : 1);
    row[FUM_SAMPLE_D] = t.alpha * phi;
    if (order >= 2) {
        double h0 = s.lambda - point_of(builder, builder->sigma[i - 1]).lambda, r0 = h0 / h;
        bool heun = builder->c.solver_type[0] == 'h' || order == 3;
        // weight of D1 = (D - m1) / r0; the sde flavour of heun as diffusers writes it
        double d1 = heun ? t.alpha * (builder->sde ? phi / (-g) + 1 : (decay - 1) / h + 1)
                         : 0.5 * t.alpha * phi;
        double d2 = 0, w1 = 0, w2 = 0; // weights on D1_0 = (D - m1) / r0 and D1_1 = (m1 - m2) / r1
        w1 = d1;
        if (order == 3) {
            double h1 = point_of(builder, builder->sigma[i - 1]).lambda -
                        point_of(builder, builder->sigma[i - 2]).lambda,
                   r1 = h1 / h;
            d2 = -t.alpha * ((decay - 1 + g) / (g * g) - 0.5);
            // diffusers subtracts 0.5 in its SDE where k-diffusion, the reference for other etas,
            // adds it.
            if (builder->sde && eta == 1) d2 = t.alpha * ((phi - g) / (g * g) - 0.5);
            w1 = d1 * (1 + r0 / (r0 + r1)) + d2 / (r0 + r1);
            w2 = -d1 * r0 / (r0 + r1) - d2 / (r0 + r1);
            row[1] += w2 / r1;
            row[2] -= w2 / r1;
        }
        row[FUM_SAMPLE_D] += w1 / r0;
        row[1] -= w1 / r0;
    }
    if (builder->sde) fum_sample_build_noise(builder, ev, 0, t.sigma * sqrt(-expm1(-2 * eta * h)));
}

// Builds the multistep method. History: x, then the predictions of the previous order - 1 steps,
// newest first.
bool fum_build_dpmpp_multi(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, builder->order))
        return false;
    for (int i = builder->start; i < builder->steps; i++) {
        struct point s = point_of(builder, builder->sigma[i]);
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_vp(builder, ev, s.alpha, s.sigma);
        update(builder, ev, i, order_at(builder, i));
        if (builder->order > 1) ev->m[1][FUM_SAMPLE_D] = 1;
        if (builder->order > 2 && i > builder->start) ev->m[2][1] = 1;
    }
    return true;
}
