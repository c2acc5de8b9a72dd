// SPDX-License-Identifier: MIT
// Builds multistep samplers in sigma space that extrapolate from earlier steps: ipndm, ipndm_v,
// res_multistep, gradient_estimation. ComfyUI is their reference.
#include "sample/builder.h"

#include <math.h>

// Adds the evaluation of step i, with D = x0.
static struct fum_sample_eval *denoise_at(struct fum_sample_builder *builder, int i) {
    struct fum_sample_eval *ev = fum_sample_build_eval(builder, builder->t[i], i - builder->start);
    fum_sample_build_denoise_sigma(builder, ev, builder->sigma[i]);
    return ev;
}

// ---- Adams-Bashforth on dx/dsigma = (x - D) / sigma ----

enum { MAX_ORDER = 4 };

// Adds a step that moves x by its length times a weighted sum of derivatives. This one comes first,
// then those after x in the history. The step to sigma 0 takes D.
static void add_derivatives(struct fum_sample_builder *builder, int i,
                            const double weight[MAX_ORDER], int history) {
    double s = builder->sigma[i], length = builder->sigma[i + 1] - s;
    struct fum_sample_eval *ev = denoise_at(builder, i);
    ev->m[0][0] = 1 + length * weight[0] / s;
    ev->m[0][FUM_SAMPLE_D] = -length * weight[0] / s;
    for (int k = 1; k < history; k++) ev->m[0][k] = length * weight[k];
    if (builder->sigma[i + 1] == 0) {
        for (int k = 0; k < history; k++) ev->m[0][k] = 0;
        ev->m[0][FUM_SAMPLE_D] = 1;
    }
    ev->m[1][0] = 1 / s;
    ev->m[1][FUM_SAMPLE_D] = -1 / s;
    for (int k = 2; k < history && k - 1 <= i - builder->start; k++) ev->m[k][k - 1] = 1;
}

// Builds iPNDM (Zhang and Chen 2023): Adams and Bashforth's weights for even steps.
bool fum_build_ipndm(struct fum_sample_builder *builder) {
    static const double weight[MAX_ORDER][MAX_ORDER] = {
        {1},
        {3 / 2.0, -1 / 2.0},
        {23 / 12.0, -16 / 12.0, 5 / 12.0},
        {55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0},
    };
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, MAX_ORDER))
        return false;
    for (int i = builder->start; i < builder->steps; i++) {
        int known = i - builder->start;
        add_derivatives(builder, i, weight[known < MAX_ORDER ? known : MAX_ORDER - 1], MAX_ORDER);
    }
    return true;
}

// Fills in the weights for steps of different lengths: h[0] is this step's, then those of the steps
// before.
static void variable_weights(const double *h, int order, double weight[MAX_ORDER]) {
    double r1 = h[0] / h[1];
    weight[0] = (2 + r1) / 2;
    weight[1] = -r1 / 2;
    if (order < 3) return;
    double h01 = h[0] + h[1], h12 = h[1] + h[2], r2 = h[1] / h[2];
    double third = (1 - h[0] / (3 * h01) * (h[0] * h01) / (h[1] * h12)) / 2;
    weight[0] += third;
    weight[1] -= (1 + r2) * third;
    weight[2] = r2 * third;
    if (order < 4) return;
    double h012 = h01 + h[2], h123 = h12 + h[3], mixed = h[1] * h12 / (h[2] * (h[2] + h[3]));
    double fourth = ((1 - h[0] / (3 * h01)) / 2 + (1 - h[0] / (2 * h01)) * h[0] / (6 * h012)) *
                    (h[0] * h01 * h012) / (h[1] * h12 * h123);
    weight[0] += fourth;
    weight[1] -= (1 + r2 + mixed) * fourth;
    weight[2] += (r2 + mixed * (1 + h[2] / h[3])) * fourth;
    weight[3] = -fourth * mixed * r2;
}

// Builds iPNDM with weights for the lengths of the steps, as zju-pi's diff-sampler has them.
bool fum_build_ipndm_v(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, MAX_ORDER))
        return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double h[MAX_ORDER] = {0}, weight[MAX_ORDER] = {1};
        int known = i - builder->start + 1, order = known < MAX_ORDER ? known : MAX_ORDER;
        for (int k = 0; k < order; k++) h[k] = builder->sigma[i + 1 - k] - builder->sigma[i - k];
        if (order > 1) variable_weights(h, order, weight);
        add_derivatives(builder, i, weight, MAX_ORDER);
    }
    return true;
}

// Builds Permenter and Yuan's gradient estimation (2024): the derivative, and once more what it
// changed by since the last step.
bool fum_build_gradient_estimation(struct fum_sample_builder *builder) {
    static const double first[MAX_ORDER] = {1}, later[MAX_ORDER] = {2, -1};
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, 2)) return false;
    for (int i = builder->start; i < builder->steps; i++)
        add_derivatives(builder, i, i > builder->start ? later : first, 2);
    return true;
}

// ---- refined exponential solver ----

// Sets the weights of D and the earlier D for a step from sigma s to `to`. `before` is the step
// before, from sigma[0] to sigma[1].
static void refine(struct fum_sample_eval *ev, double s, double to, const double before[2]) {
    double h = log(s / to), c2 = log(before[1] / before[0]) / h;
    double phi1 = expm1(-h) / -h, phi2 = (phi1 - 1) / -h;
    ev->m[0][0] = to / s;
    ev->m[0][FUM_SAMPLE_D] = h * (phi1 - phi2 / c2);
    ev->m[0][1] = h * phi2 / c2;
}

// Builds a second-order multistep: Zhang et al., "Improved order analysis and design of exponential
// integrator for diffusion models sampling" (2023). eta above 0 adds ancestral noise. History: x
// and the D of the last step.
bool fum_build_res_multistep(struct fum_sample_builder *builder) {
    double before[2] = {0};
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, 2)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double s = builder->sigma[i], down, up;
        struct fum_sample_eval *ev = denoise_at(builder, i);
        fum_sample_build_ancestral(builder, s, builder->sigma[i + 1], &down, &up);
        if (down == 0 || i == builder->start) {
            ev->m[0][0] = down / s;
            ev->m[0][FUM_SAMPLE_D] = 1 - down / s;
        } else {
            refine(ev, s, down, before);
        }
        ev->m[1][FUM_SAMPLE_D] = 1;
        if (builder->eta > 0 && builder->sigma[i + 1] > 0)
            fum_sample_build_noise(builder, ev, 0, up);
        before[0] = s;
        before[1] = down;
    }
    return true;
}
