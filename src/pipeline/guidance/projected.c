// SPDX-License-Identifier: MIT
// Adaptive projected guidance (Sadat et al. 2024, "Eliminating Oversaturation and Artifacts of High
// Guidance Scales"), as diffusers' normalized_guidance computes it on the model's output.
#include "pipeline/guidance/guidance.h"

static bool serves(const struct fum_guidance_params *params) {
    return params->projected;
}

static fum_tensor *add_norm(struct fum_guided *g, fum_tensor *x) {
    fum_tensor *squares = fum_nn_unary(&g->nn, "square", NULL, x);
    return fum_nn_unary(&g->nn, "sqrt", NULL, fum_guidance_sum(g, squares));
}

// Adds what earlier steps have left of their differences. Steps that are not guided leave the sum
// as it was.
static fum_tensor *add_momentum(struct fum_guided *g, fum_tensor *difference) {
    struct fum_denoiser *d = g->d;
    struct fum_shape shape = fum_tensor_shape(difference);
    if (d->guidance.apg_momentum == 0 || !difference) return difference;
    d->momentum = fum_graph_state(g->nn.graph, "guidance.momentum", shape, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *sum =
        fum_nn_add(&g->nn, NULL, difference,
                   fum_nn_scale(&g->nn, NULL, d->momentum, (double)d->guidance.apg_momentum, 0));
    fum_tensor *change =
        fum_nn_mul(&g->nn, NULL, fum_guidance_difference(g, sum, d->momentum), g->on);
    d->momentum_next = fum_nn_add(&g->nn, NULL, d->momentum, change);
    return sum;
}

static fum_tensor *limit_norm(struct fum_guided *g, fum_tensor *x) {
    const struct fum_attr range[] = {{"min", 0}, {"max", 1}, {0}};
    double limit = (double)g->d->guidance.apg_norm;
    if (limit <= 0) return x;
    fum_tensor *factor = fum_nn_unary(&g->nn, "reciprocal", NULL, add_norm(g, x));
    factor = fum_nn_scale(&g->nn, NULL, factor, limit, 0);
    factor = factor ? fum_graph_add(g->nn.graph, "clamp", NULL, FUM_INPUTS(factor), range) : NULL;
    return fum_nn_mul(&g->nn, NULL, x, factor);
}

static void guide(struct fum_guided *g) {
    double eta = (double)g->d->guidance.apg_eta;
    if (!g->without) return;
    fum_tensor *difference = add_momentum(g, fum_guidance_difference(g, g->with, g->without));
    difference = limit_norm(g, difference);
    fum_tensor *inverse = fum_nn_unary(&g->nn, "reciprocal", NULL, add_norm(g, g->with));
    fum_tensor *along = fum_nn_mul(&g->nn, NULL, g->with, inverse);
    fum_tensor *length = fum_guidance_sum(g, fum_nn_mul(&g->nn, NULL, difference, along));
    fum_tensor *parallel = fum_nn_mul(&g->nn, NULL, along, length);
    // orthogonal + eta · parallel
    fum_tensor *step =
        fum_nn_add(&g->nn, NULL, difference, fum_nn_scale(&g->nn, NULL, parallel, eta - 1, 0));
    fum_tensor *guided =
        fum_nn_add(&g->nn, NULL, g->without, fum_nn_mul(&g->nn, NULL, step, g->guidance));
    fum_tensor *change =
        fum_nn_mul(&g->nn, NULL, fum_guidance_difference(g, guided, g->with), g->on);
    g->prediction = fum_nn_add(&g->nn, NULL, g->with, change);
}

static fum_tensor *update(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated) {
    if (d->momentum && d->momentum_next)
        fum_graph_add(graph, "assign", NULL, FUM_INPUTS(d->momentum, d->momentum_next), NULL);
    return updated;
}

const struct fum_guidance_method fum_guidance_projected = {
    .name = "APG", .serves = serves, .guide = guide, .update = update};
