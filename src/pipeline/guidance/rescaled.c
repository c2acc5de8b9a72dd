// SPDX-License-Identifier: MIT
// Gives the guided prediction the deviation of the one with the prompt (Lin et al. 2024, section
// 3.4), as diffusers' rescale_noise_cfg does.
#include "pipeline/guidance/guidance.h"

static bool serves(const struct fum_guidance_params *params) {
    return params->rescale > 0;
}

// Returns the sum of the squared distances from the mean of each picture.
static fum_tensor *add_spread(struct fum_guided *g, fum_tensor *x) {
    const struct fum_denoiser *d = g->d;
    double count = (double)d->height * d->width * (double)fum_nn_channels(x);
    fum_tensor *mean = fum_nn_scale(&g->nn, NULL, fum_guidance_sum(g, x), 1 / count, 0);
    fum_tensor *centred = fum_guidance_difference(g, x, mean);
    return fum_guidance_sum(g, fum_nn_unary(&g->nn, "square", NULL, centred));
}

static void guide(struct fum_guided *g) {
    double share = (double)g->d->guidance.rescale;
    if (!g->without && !g->perturbed) return;
    fum_tensor *inverse = fum_nn_unary(&g->nn, "reciprocal", NULL, add_spread(g, g->prediction));
    fum_tensor *ratio = fum_nn_unary(&g->nn, "sqrt", NULL,
                                     fum_nn_mul(&g->nn, NULL, add_spread(g, g->with), inverse));
    ratio = fum_nn_scale(&g->nn, NULL, ratio, share, 1 - share);
    g->prediction = fum_nn_mul(&g->nn, NULL, g->prediction, ratio);
}

const struct fum_guidance_method fum_guidance_rescaled = {
    .name = "guidance rescale", .serves = serves, .guide = guide};
