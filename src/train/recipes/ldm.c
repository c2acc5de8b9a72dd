// SPDX-License-Identifier: MIT
// Latent diffusion (Rombach et al. 2022): stage vae trains the autoencoder of pictures, stage unet
// the UNet, the text encoder or both on its latents.
#include "train/recipes/latent.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

struct ldm {
    bool vae_stage;
    bool unet, text; // trained
    struct fum_latent latent;
};

FUM_SETTING_NAMES(trained_name, "both", "unet", "text_encoder")

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct ldm *l = t->config;
    int trained = fum_settings_choice(&t->settings, "model.train", trained_name);
    l->unet = trained != 2;
    l->text = trained != 1;
    t->caption_drop = fum_settings_real(&t->settings, "loss.caption_drop", 0, 1);
    enum fum_result result = fum_settings_check(&t->settings, err);
    return result ? result : fum_latent_open(t, &l->latent, err);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    struct ldm *l = m->training->config;
    return fum_train_mean(m, fum_latent_errors(m, &l->latent));
}

static bool trains(const struct fum_training *t, const char *name) {
    const struct ldm *l = t->config;
    if (!strncmp(name, "unet.", 5)) return l->unet;
    return !strncmp(name, "text_encoder", 12) && l->text;
}

static const double *alphas(const struct fum_training *t, int *count) {
    const struct ldm *l = t->config;
    *count = l->latent.timesteps;
    return l->latent.alphas;
}

const struct fum_recipe fum_recipe_ldm = {
    .name = "ldm",
    .summary = "latent diffusion with words (Rombach et al. 2022)",
    .config_size = sizeof(struct ldm),
    .configure = configure,
    .add_loss = add_loss,
    .trains = trains,
    .save = fum_train_save_pipeline,
    .alphas = alphas,
    .images_signed = true,
    .takes_model = true,
    .has_stages = true,
};
