// SPDX-License-Identifier: MIT
// The VQ-VAE of a training with --prior: a network learns its latents, and is saved as its prior.
#ifndef FUM_TRAIN_RECIPES_VQ_PRIOR_H
#define FUM_TRAIN_RECIPES_VQ_PRIOR_H

#include "train/recipes/unet2d.h"

// Finds the VQ-VAE in the training's model, and checks that it takes the pictures, and that its
// folder can be written.
enum fum_result fum_vq_prior_open(struct fum_training *training, const struct fum_vq_config **vqvae,
                                  struct fum_error *err);
// Returns false for the weights of the VQ-VAE, a hook of struct fum_recipe.
bool fum_vq_prior_trains(const struct fum_training *training, const char *name);
// Writes the prior twice: to prior/ in the VQ-VAE's folder, and with a copy of the VQ-VAE as a
// folder of diffusers' LDMPipeline to `dir`. If that is the VQ-VAE's folder, only the former.
enum fum_result fum_vq_prior_save(struct fum_training *training, const struct fum_unet2d *unet,
                                  const struct fum_unet2d_folder *folder, const char *dir,
                                  struct fum_error *err);

#endif
