// SPDX-License-Identifier: MIT
// Adds what a model needs that gives the variance of the steps' noise beside its prediction.
#include "nn/nn.h"
#include "pipeline/pipeline.h"

fum_tensor *fum_variance_noise(fum_graph *graph, const struct fum_denoiser *d, int64_t channels) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "variance");
    struct fum_shape one = {4, {d->batch, d->height, d->width, channels}},
                     rows = {4, {d->noise_rows, (int64_t)d->batch * d->height, d->width, channels}};
    fum_tensor *noise = fum_nn_reshape(&nn, NULL, d->noise, rows);
    if (!noise) return NULL;
    noise = fum_graph_add(graph, "step_row", NULL, FUM_INPUTS(noise, d->counter), NULL);
    return fum_nn_reshape(&nn, NULL, noise, one);
}

fum_tensor *fum_variance_factor(fum_graph *graph, const struct fum_denoiser *d,
                                fum_tensor *prediction, int64_t channels) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "variance");
    fum_tensor *share =
        fum_nn_slice(&nn, NULL, prediction, (struct fum_nn_range){3, channels, channels});
    if (d->copies > 1) // of the branch with the class
        share = fum_nn_slice(&nn, NULL, share, (struct fum_nn_range){0, d->batch, d->batch});
    if (!share) return NULL;
    share = fum_graph_add(graph, "cast", NULL, FUM_INPUTS(share),
                          (struct fum_attr[]){{"dtype", FUM_F32}, {0}});
    if (d->variance_direct) // one below 0 stands for none
        return fum_nn_unary(&nn, "sqrt", NULL, fum_nn_unary(&nn, "relu", NULL, share));
    fum_tensor *spread =
        fum_graph_add(graph, "step_row", NULL, FUM_INPUTS(d->spread, d->counter), NULL);
    share = fum_nn_mul(&nn, NULL, fum_nn_scale(&nn, NULL, share, 0.5, 0.5),
                       fum_nn_reshape(&nn, NULL, spread, (struct fum_shape){4, {1, 1, 1, 1}}));
    return fum_nn_unary(&nn, "exp", NULL, share);
}

fum_tensor *fum_variance_drop(fum_graph *graph, fum_tensor *prediction, int64_t channels) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "prediction");
    if (fum_nn_channels(prediction) == channels) return prediction;
    return fum_nn_slice(&nn, NULL, prediction, (struct fum_nn_range){3, 0, channels});
}
