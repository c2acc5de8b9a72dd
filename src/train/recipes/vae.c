// SPDX-License-Identifier: MIT
// The variational autoencoder of Kingma and Welling, "Auto-Encoding Variational Bayes" (2013).
// loss = reconstruction + beta · KL(q(z|x) || N(0, I)), both summed over a sample.
#include "train/recipes/autoencoder.h"

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct fum_autoencoder *a = m->training->config;
    fum_tensor *x = fum_autoencoder_images(m, a);
    struct fum_posterior q = fum_autoencoder_encode(m, a, x);
    fum_tensor *logits = fum_autoencoder_decode(m, a, fum_train_draw_posterior(m, &q, "eps"));
    fum_tensor *kl = fum_train_op(m, "gaussian_kl", q.mean, q.log_variance, NULL);
    return fum_autoencoder_bound(m, a, fum_autoencoder_reconstruction(m, a, logits, x), kl);
}

const struct fum_recipe fum_recipe_vae = {
    .name = "vae",
    .summary = "variational autoencoder (Kingma and Welling 2013)",
    .config_size = sizeof(struct fum_autoencoder),
    .configure = fum_autoencoder_configure,
    .add_loss = add_loss,
    .save = fum_autoencoder_save,
};
