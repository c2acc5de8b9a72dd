// SPDX-License-Identifier: MIT
// The variational autoencoder of Kingma and Welling, "Auto-Encoding Variational Bayes" (2013).
// loss = reconstruction + beta · KL(q(z|x) || N(0, I)), both summed over a sample.
#include "train/recipes/autoencoder.h"

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    return fum_autoencoder_loss(m, NULL);
}

const struct fum_recipe fum_recipe_vae = {
    .name = "vae",
    .summary = "variational autoencoder (Kingma and Welling 2013)",
    .config_size = sizeof(struct fum_autoencoder_recipe),
    .configure = fum_autoencoder_configure,
    .add_loss = add_loss,
    .save = fum_autoencoder_save,
};
