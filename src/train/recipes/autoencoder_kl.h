// SPDX-License-Identifier: MIT
// The autoencoder of latent diffusion, diffusers' AutoencoderKL.
// loss = mean (x − x̂)² + weight · KL(q(z|x) || N(0, I)) / elements of a picture.
#ifndef FUM_TRAIN_RECIPES_AUTOENCODER_KL_H
#define FUM_TRAIN_RECIPES_AUTOENCODER_KL_H

#include "train/training.h"

struct fum_autoencoder_kl {
    struct fum_vae_config network;
    double kl;          // weight
    const char *prefix; // of the parameters: "vae." or ""
};

// Reads the network from the training's model, or from [model] if there is none.
enum fum_result fum_autoencoder_kl_open(struct fum_training *training,
                                        struct fum_autoencoder_kl *vae, struct fum_error *err);
fum_tensor *fum_autoencoder_kl_loss(struct fum_micro_batch *m,
                                    const struct fum_autoencoder_kl *vae);
// Saves the model's folder with this autoencoder, or the folder vae alone if there is no model.
enum fum_result fum_autoencoder_kl_save(struct fum_training *training,
                                        const struct fum_autoencoder_kl *vae, const char *dir,
                                        struct fum_error *err);

#endif
