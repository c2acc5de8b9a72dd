// SPDX-License-Identifier: MIT
// What the recipes of Stable Diffusion share: pictures become latents, captions the UNet's context,
// and the UNet's prediction is held against its target.
#ifndef FUM_TRAIN_RECIPES_LATENT_H
#define FUM_TRAIN_RECIPES_LATENT_H

#include "train/training.h"

struct fum_latent {
    const struct fum_model_view *view;
    enum fum_prediction prediction;
    int timesteps;
    double *alphas; // cumulative products
    int num_new;    // rows of new tokens; 0: none
    // The new rows of a text encoder's token table, of ids from config.vocab on. NULL: none.
    fum_tensor *(*new_rows)(struct fum_micro_batch *m, const struct fum_model_text *text);
};

// Reads what the training needs from its model, and checks the pictures' size.
enum fum_result fum_latent_open(struct fum_training *training, struct fum_latent *latent,
                                struct fum_error *err);
// Returns the squared error of every element of the prediction, [batch, height, width, channels].
fum_tensor *fum_latent_errors(struct fum_micro_batch *m, const struct fum_latent *latent);

#endif
