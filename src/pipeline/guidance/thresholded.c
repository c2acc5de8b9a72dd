// SPDX-License-Identifier: MIT
// Dynamic thresholding for latents, the "CFG scale fix" of A1111's extension. Each channel of the
// guided prediction gets the range that a smaller scale would give it, around its own mean.
#include "pipeline/guidance/guidance.h"

enum { CHANNELS = 3 }; // the axis

static bool serves(const struct fum_guidance_params *params) {
    return params->mimic_scale > 0;
}

// Returns a quantile of the magnitudes of each picture, [batch, 1, 1, 1].
static fum_tensor *add_quantile(struct fum_guided *g, fum_tensor *x, double ratio) {
    const struct fum_attr attrs[] = {{"ratio", ratio}, {0}};
    if (!x) return NULL;
    fum_tensor *found = fum_graph_add(g->nn.graph, "abs_quantile", NULL, FUM_INPUTS(x), attrs);
    return fum_nn_reshape(&g->nn, NULL, found, (struct fum_shape){4, {g->d->batch, 1, 1, 1}});
}

static fum_tensor *add_mean(struct fum_guided *g, fum_tensor *x) {
    double pixels = (double)g->d->height * g->d->width;
    return fum_nn_scale(&g->nn, NULL, fum_guidance_sum(g, x), 1 / pixels, 0);
}

// Gives one channel the range of the other prediction's.
static fum_tensor *fit_channel(struct fum_guided *g, fum_tensor *x, fum_tensor *mimicked) {
    const struct fum_attr range[] = {{"min", -1}, {"max", 1}, {0}};
    double ratio = (double)g->d->guidance.mimic_percentile;
    fum_tensor *mean = add_mean(g, x), *centred = fum_guidance_difference(g, x, mean);
    fum_tensor *needed =
        add_quantile(g, fum_guidance_difference(g, mimicked, add_mean(g, mimicked)), 1);
    fum_tensor *reach = add_quantile(g, centred, ratio);
    // The larger of both: needed + relu(reach − needed).
    fum_tensor *most =
        fum_nn_add(&g->nn, NULL, needed,
                   fum_nn_unary(&g->nn, "relu", NULL, fum_guidance_difference(g, reach, needed)));
    fum_tensor *share =
        fum_nn_mul(&g->nn, NULL, centred, fum_nn_unary(&g->nn, "reciprocal", NULL, most));
    share = share ? fum_graph_add(g->nn.graph, "clamp", NULL, FUM_INPUTS(share), range) : NULL;
    return fum_nn_add(&g->nn, NULL, fum_nn_mul(&g->nn, NULL, share, needed), mean);
}

static void guide(struct fum_guided *g) {
    if (!g->without) return;
    fum_tensor *difference = fum_guidance_difference(g, g->with, g->without), *joined = NULL;
    fum_tensor *mimicked =
        fum_nn_add(&g->nn, NULL, g->without,
                   fum_nn_scale(&g->nn, NULL, difference, (double)g->d->guidance.mimic_scale, 0));
    for (int64_t i = 0; i < fum_nn_channels(g->prediction); i++) {
        const struct fum_nn_range one = {CHANNELS, i, 1};
        fum_tensor *channel = fit_channel(g, fum_nn_slice(&g->nn, NULL, g->prediction, one),
                                          fum_nn_slice(&g->nn, NULL, mimicked, one));
        joined = i ? fum_nn_concat(&g->nn, NULL, joined, channel) : channel;
    }
    // Steps that are not guided stay as they are.
    fum_tensor *change =
        fum_nn_mul(&g->nn, NULL, fum_guidance_difference(g, joined, g->prediction), g->on);
    g->prediction = fum_nn_add(&g->nn, NULL, g->prediction, change);
}

const struct fum_guidance_method fum_guidance_thresholded = {
    .name = "dynamic thresholding", .serves = serves, .guide = guide};
