// SPDX-License-Identifier: MIT
// The configuration that AutoencoderKL and VQModel share, as diffusers writes it.
#ifndef FUM_TRAIN_RECIPES_VAE_CONFIG_H
#define FUM_TRAIN_RECIPES_VAE_CONFIG_H

#include "model/vae.h"
#include "train/keys.h"
#include "train/training.h"

// Returns the configuration of blocks and sizes. A bad setting is kept in t->settings.
cJSON *fum_vae_describe(struct fum_training *t, const char *class_name);
// Adds the whole number of the setting "model.KEY", from 1 to `max`.
void fum_vae_copy_int(struct fum_settings *s, cJSON *json, const char *key, int64_t max);
// Adds the switch of that name.
void fum_vae_copy_bool(struct fum_settings *s, cJSON *json, const char *key);

#endif
