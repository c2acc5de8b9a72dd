// SPDX-License-Identifier: MIT
// What the recipes vae, cvae and hvae share: settings, the likelihood of pictures, saving.
#ifndef FUM_TRAIN_AUTOENCODER_H
#define FUM_TRAIN_AUTOENCODER_H

#include "model/autoencoder.h"
#include "train/training.h"

struct fum_autoencoder_recipe {
    struct fum_autoencoder network;
    bool gaussian;   // loss.reconstruction
    double variance; // of the Gaussian
    double beta;     // weight of the KL divergence
};

// Reads [model] and [loss] of vae and cvae.
enum fum_result fum_autoencoder_configure(struct fum_training *t, struct fum_error *err);
// Reads loss.reconstruction and loss.variance, and takes the size of the data's pictures.
void fum_autoencoder_read_pictures(struct fum_training *t, struct fum_autoencoder_recipe *r);

// Returns the pictures of the micro-batch as the network takes them.
fum_tensor *fum_autoencoder_images(struct fum_micro_batch *m, const struct fum_autoencoder *a);
// Draws mean + exp(log_variance / 2) · eps. `name` is that of the noise.
fum_tensor *fum_train_draw_posterior(struct fum_micro_batch *m, const struct fum_posterior *q,
                                     const char *name);
// Returns the negative log-likelihood of the pictures `x`, summed over each and averaged over the
// batch.
fum_tensor *fum_autoencoder_reconstruction(struct fum_micro_batch *m,
                                           const struct fum_autoencoder_recipe *r,
                                           fum_tensor *logits, fum_tensor *x);
// Returns the loss of vae and cvae: reconstruction + beta · KL(q(z|x) || N(prior, I)). `prior`
// NULL: 0. Reports both terms.
fum_tensor *fum_autoencoder_loss(struct fum_micro_batch *m, fum_tensor *prior);
// Writes config.json and model.safetensors.
enum fum_result fum_autoencoder_save(struct fum_training *t, const char *dir,
                                     struct fum_error *err);

#endif
