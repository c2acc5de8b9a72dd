// SPDX-License-Identifier: MIT
// Joins the predictions of the parts of a prompt that AND joins: u + sum of w_i (c_i - u). Guidance
// then weighs that as the prediction of one prompt. See Liu et al. 2022, "Compositional visual
// generation with composable diffusion models".
#include "nn/nn.h"
#include "pipeline/pipeline.h"

// Returns the prediction of one copy of the pictures.
static fum_tensor *slice_copy(struct fum_nn *nn, const struct fum_denoiser *d,
                              fum_tensor *prediction, int copy) {
    return fum_nn_slice(nn, NULL, prediction,
                        (struct fum_nn_range){0, (int64_t)copy * d->batch, d->batch});
}

fum_tensor *fum_parts_join(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction) {
    struct fum_nn nn;
    const struct fum_attr f32[] = {{"dtype", FUM_F32}, {0}}, first[] = {{"axis", 0}, {0}};
    int parts = d->parts;
    if (parts < 2 || !prediction) return prediction;
    fum_nn_init(&nn, graph, "parts");
    d->weights = fum_graph_input(graph, "weights", (struct fum_shape){4, {parts, 1, 1, 1}}, FUM_F32,
                                 FUM_STAGE_RUN);
    prediction = fum_graph_add(graph, "cast", NULL, FUM_INPUTS(prediction), f32);
    fum_tensor *without = slice_copy(&nn, d, prediction, 0), *sum = without;
    for (int i = 0; i < parts && sum; i++) {
        fum_tensor *with = slice_copy(&nn, d, prediction, 1 + i);
        fum_tensor *weight = fum_nn_slice(&nn, NULL, d->weights, (struct fum_nn_range){0, i, 1});
        if (!with || !weight) return NULL;
        fum_tensor *change = fum_graph_add(graph, "sub", NULL, FUM_INPUTS(with, without), NULL);
        sum = fum_nn_add(&nn, NULL, sum, fum_nn_mul(&nn, NULL, change, weight));
    }
    return sum ? fum_graph_add(graph, "concat", NULL, FUM_INPUTS(without, sum), first) : NULL;
}
