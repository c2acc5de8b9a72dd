// SPDX-License-Identifier: MIT
// Adds what a sampler needs whose step sizes depend on norms: the corrector of score models (Song
// et al. 2021).
#include "nn/nn.h"
#include "pipeline/pipeline.h"

#include <math.h>

// Returns the mean over the batch of the pictures' norms, [1, 1, 1, 1].
static fum_tensor *add_norm(struct fum_nn *nn, const struct fum_denoiser *d, fum_tensor *x) {
    const struct fum_attr each[] = {{"rank", 4}, {"d0", d->batch}, {"d1", 1},
                                    {"d2", 1},   {"d3", 1},        {0}};
    const struct fum_attr single[] = {{"rank", 4}, {"d0", 1}, {"d1", 1}, {"d2", 1}, {"d3", 1}, {0}};
    fum_tensor *squares = fum_nn_unary(nn, "square", NULL, x);
    if (!squares) return NULL;
    fum_tensor *sums = fum_graph_add(nn->graph, "reduce_sum", NULL, FUM_INPUTS(squares), each);
    fum_tensor *norms = fum_nn_mul(nn, NULL, fum_nn_unary(nn, "sqrt", NULL, sums), d->shares);
    return norms ? fum_graph_add(nn->graph, "reduce_sum", NULL, FUM_INPUTS(norms), single) : NULL;
}

// Returns column `index` of this step's row of the corrections, [1, 1, 1, 1].
static fum_tensor *add_column(struct fum_nn *nn, fum_tensor *row, int index) {
    fum_tensor *column = fum_nn_slice(nn, NULL, row, (struct fum_nn_range){0, index, 1});
    return fum_nn_reshape(nn, NULL, column, (struct fum_shape){4, {1, 1, 1, 1}});
}

static fum_tensor *add_step_row(fum_graph *graph, const struct fum_denoiser *d, fum_tensor *table) {
    return table ? fum_graph_add(graph, "step_row", NULL, FUM_INPUTS(table, d->counter), NULL)
                 : NULL;
}

void fum_correction_scale(fum_graph *graph, struct fum_denoiser *d, fum_tensor **prediction,
                          fum_tensor **noise) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "correction");
    int64_t channels = fum_nn_channels(*prediction);
    struct fum_shape one = {4, {d->batch, d->height, d->width, channels}},
                     rows = {4, {d->noise_rows, (int64_t)d->batch * d->height, d->width, channels}};
    d->corrections =
        fum_graph_input(graph, "corrections", (struct fum_shape){2, {d->evals, FUM_CORRECTION_ROW}},
                        FUM_F32, FUM_STAGE_RUN);
    d->shares = fum_graph_input(graph, "shares", (struct fum_shape){4, {d->batch, 1, 1, 1}},
                                FUM_F32, FUM_STAGE_STEP);
    fum_tensor *drawn = add_step_row(graph, d, fum_nn_reshape(&nn, NULL, *noise, rows));
    fum_tensor *row = add_step_row(graph, d, d->corrections);
    fum_tensor *output = *prediction ? fum_graph_add(graph, "cast", NULL, FUM_INPUTS(*prediction),
                                                     (struct fum_attr[]){{"dtype", FUM_F32}, {0}})
                                     : NULL;
    drawn = fum_nn_reshape(&nn, NULL, drawn, one);
    fum_tensor *ratio = fum_nn_mul(&nn, NULL, add_norm(&nn, d, drawn),
                                   fum_nn_unary(&nn, "reciprocal", NULL, add_norm(&nn, d, output)));
    fum_tensor *plain = add_column(&nn, row, 0),
               *size = fum_nn_mul(&nn, NULL, add_column(&nn, row, 1),
                                  fum_nn_unary(&nn, "square", NULL, ratio)),
               *spread = fum_nn_mul(&nn, NULL, add_column(&nn, row, 2), ratio);
    *prediction = fum_nn_mul(&nn, NULL, output, fum_nn_add(&nn, NULL, plain, size));
    *noise = fum_nn_mul(&nn, NULL, drawn, fum_nn_add(&nn, NULL, plain, spread));
}

void fum_correction_row(const struct fum_sample_eval *eval, float row[FUM_CORRECTION_ROW]) {
    row[0] = eval->correction == 0;
    row[1] = (float)eval->correction;
    row[2] = (float)sqrt(2 * eval->correction);
}
