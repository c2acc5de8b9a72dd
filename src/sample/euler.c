// SPDX-License-Identifier: MIT
// Builds samplers in sigma space with one evaluation a step: euler, euler_a, lms (Karras et al.
// 2022, with k-diffusion's names).
#include "sample/builder.h"

#include <math.h>

// Builds Euler's method on dx/dsigma = (x - D) / sigma.
bool fum_build_euler(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, 1)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_sigma(builder, ev, builder->sigma[i]);
        double ratio = builder->sigma[i + 1] / builder->sigma[i];
        ev->m[0][0] = ratio;
        ev->m[0][FUM_SAMPLE_D] = 1 - ratio;
        ev->plus = 1 / (1 - ratio);
    }
    return true;
}

// Builds Euler steps to a lower sigma than requested that add noise back up. The noise is drawn on
// the last step too, with weight zero. The reference draws it, and later pictures of the same
// generator depend on it.
bool fum_build_euler_a(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, 1)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double from = builder->sigma[i], to = builder->sigma[i + 1];
        double up, down;
        fum_sample_build_ancestral(builder, from, to, &down, &up);
        double ratio = down / from;
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_sigma(builder, ev, from);
        ev->m[0][0] = ratio;
        ev->m[0][FUM_SAMPLE_D] = 1 - ratio;
        ev->plus = 1 / (1 - ratio);
        if (builder->eta > 0) fum_sample_build_noise(builder, ev, 0, up);
    }
    return true;
}

// Integrates over [sigma[i], sigma[i + 1]] the Lagrange polynomial that is 1 at sigma[i - j] and 0
// at the other of the last `order` sigmas. Four Gauss points are exact for its degree.
static double lms_weight(const double *sigma, int i, int order, int j) {
    static const double node[4] = {-0.8611363115940526, -0.3399810435848563, 0.3399810435848563,
                                   0.8611363115940526};
    static const double weight[4] = {0.3478548451374538, 0.6521451548625461, 0.6521451548625461,
                                     0.3478548451374538};
    double half = 0.5 * (sigma[i + 1] - sigma[i]), middle = 0.5 * (sigma[i + 1] + sigma[i]),
           sum = 0;
    for (int g = 0; g < 4; g++) {
        double tau = middle + half * node[g], product = weight[g];
        for (int k = 0; k < order; k++) {
            if (k != j) product *= (tau - sigma[i - k]) / (sigma[i - j] - sigma[i - k]);
        }
        sum += product;
    }
    return half * sum;
}

// Builds linear multistep of order 4. History: x, then the derivatives of the last three steps,
// newest first.
bool fum_build_lms(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, 4)) return false;
    for (int i = builder->start; i < builder->steps; i++) {
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        double s = builder->sigma[i];
        fum_sample_build_denoise_sigma(builder, ev, s);
        int order = i + 1 < 4 ? i + 1 : 4, known = i - builder->start; // derivatives kept so far
        double w = lms_weight(builder->sigma, i, order, 0);
        ev->m[0][0] = 1 + w / s;
        ev->m[0][FUM_SAMPLE_D] = -w / s;
        for (int j = 1; j < order && j <= known; j++)
            ev->m[0][j] = lms_weight(builder->sigma, i, order, j);
        ev->m[1][0] = 1 / s;
        ev->m[1][FUM_SAMPLE_D] = -1 / s;
        for (int j = 2; j < 4 && j - 1 <= known; j++) ev->m[j][j - 1] = 1;
    }
    return true;
}
