// SPDX-License-Identifier: MIT
// Builds DEIS (Zhang and Chen, "Fast sampling of diffusion models with exponential integrator",
// 2023) in log rho, order 1 to 3, as diffusers has it.
#include "sample/builder.h"

#include <math.h>

enum { MAX_ORDER = 3 };

// Integrates over rho, up to t, the Lagrange polynomial in log rho that is 1 at node[k] and 0 at
// the others of `order` nodes.
static double antiderivative(const double *node, int order, int k, double t) {
    double log_t = log(t), others[MAX_ORDER - 1], scale = 1;
    int count = 0;
    for (int j = 0; j < order; j++) {
        if (j == k) continue;
        others[count++] = log(node[j]);
        scale *= log(node[k]) - log(node[j]);
    }
    if (count == 0) return t;
    if (count == 1) return t * (log_t - 1 - others[0]) / scale;
    double sum = others[0] + others[1], product = others[0] * others[1];
    return t * (log_t * log_t - 2 * log_t + 2 - sum * (log_t - 1) + product) / scale;
}

// Returns the order of step i: the history grows, short runs end with lower ones, and a step to
// sigma 0 has order 1.
static int order_at(const struct fum_sample_builder *builder, int i) {
    int left = builder->steps - i, known = i - builder->start + 1;
    bool shorten = builder->c.lower_order_final == FUM_SWITCH_ON && builder->steps < 15;
    int order = builder->order < known ? builder->order : known;
    if (builder->sigma[i + 1] == 0) return 1;
    return shorten && order > left ? left : order;
}

// Writes the update from step i on. History: x, then the predicted noise of earlier steps, newest
// first.
static void update(const struct fum_sample_builder *builder, struct fum_sample_eval *ev, int i) {
    const double *sigma = builder->sigma;
    double node[MAX_ORDER] = {0}, alpha = fum_sample_build_alpha(builder, sigma[i]),
           alpha_next = fum_sample_build_alpha(builder, sigma[i + 1]);
    double to_noise = 1 / (sigma[i] * alpha); // noise = (x - alpha D) · to_noise
    int order = order_at(builder, i);
    for (int k = 0; k < order; k++) node[k] = sigma[i - k];
    ev->m[0][0] = alpha_next / alpha;
    for (int k = 0; k < order; k++) {
        double weight = alpha_next * (antiderivative(node, order, k, sigma[i + 1]) -
                                      antiderivative(node, order, k, sigma[i]));
        ev->m[0][k] += k == 0 ? weight * to_noise : weight;
        if (k == 0) ev->m[0][FUM_SAMPLE_D] -= weight * to_noise * alpha;
    }
    if (builder->order < 2) return;
    ev->m[1][0] = to_noise;
    ev->m[1][FUM_SAMPLE_D] = -to_noise * alpha;
    if (builder->order > 2 && i > builder->start) ev->m[2][1] = 1;
}

bool fum_build_deis(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, builder->order))
        return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double ratio = builder->sigma[i], alpha = fum_sample_build_alpha(builder, ratio);
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_vp(builder, ev, alpha, ratio * alpha);
        update(builder, ev, i);
    }
    return true;
}
