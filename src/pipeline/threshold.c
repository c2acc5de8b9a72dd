// SPDX-License-Identifier: MIT
// Adds a step's prediction without its noise, and the bounds of dynamic thresholding for it
// (Saharia et al. 2022, "Photorealistic text-to-image diffusion models", section 2.3).
#include "nn/nn.h"
#include "pipeline/pipeline.h"

// Returns a number of this evaluation's coefficients.
static fum_tensor *read_coef(struct fum_nn *nn, fum_tensor *row, int index) {
    fum_tensor *number = fum_nn_slice(nn, NULL, row, (struct fum_nn_range){0, index, 1});
    return fum_nn_reshape(nn, NULL, number, (struct fum_shape){4, {1, 1, 1, 1}});
}

// Returns the model's output in f32, guided as sampler_update guides it.
static fum_tensor *guide_output(struct fum_nn *nn, const struct fum_denoiser *d, fum_tensor *row,
                                fum_tensor *prediction) {
    const struct fum_attr f32[] = {{"dtype", FUM_F32}, {0}};
    if (!prediction) return NULL;
    fum_tensor *out = fum_graph_add(nn->graph, "cast", NULL, FUM_INPUTS(prediction), f32);
    if (d->guided == 1 || !out) return out;
    fum_tensor *without = fum_nn_slice(nn, NULL, out, (struct fum_nn_range){0, 0, d->batch}),
               *with = fum_nn_slice(nn, NULL, out, (struct fum_nn_range){0, d->batch, d->batch});
    if (!without || !with) return NULL;
    fum_tensor *change = fum_graph_add(nn->graph, "sub", NULL, FUM_INPUTS(with, without), NULL);
    change = fum_nn_mul(nn, NULL, change, read_coef(nn, row, FUM_COEF_GUIDANCE));
    return fum_nn_add(nn, NULL, without, change);
}

fum_tensor *fum_denoised_add(fum_graph *graph, const struct fum_denoiser *d,
                             fum_tensor *prediction) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "denoised");
    fum_tensor *row =
        fum_graph_add(graph, "step_row", NULL, FUM_INPUTS(d->coefs, d->counter), NULL);
    fum_tensor *x = d->state;
    if (d->history > 1) x = fum_nn_slice(&nn, NULL, x, (struct fum_nn_range){0, 0, d->batch});
    x = fum_nn_mul(&nn, NULL, x, read_coef(&nn, row, FUM_COEF_A));
    fum_tensor *out = fum_nn_mul(&nn, NULL, guide_output(&nn, d, row, prediction),
                                 read_coef(&nn, row, FUM_COEF_B));
    return fum_nn_add(&nn, NULL, x, out);
}

fum_tensor *fum_threshold_add(fum_graph *graph, const struct fum_denoiser *d,
                              fum_tensor *prediction) {
    const struct fum_attr ratio[] = {{"ratio", d->threshold_ratio}, {0}},
                          range[] = {{"min", 1}, {"max", d->threshold_max}, {0}};
    if (d->threshold_ratio <= 0) return NULL;
    fum_tensor *start = fum_denoised_add(graph, d, prediction);
    if (!start) return NULL;
    start = fum_graph_add(graph, "abs_quantile", "threshold", FUM_INPUTS(start), ratio);
    return start ? fum_graph_add(graph, "clamp", NULL, FUM_INPUTS(start), range) : NULL;
}
