// SPDX-License-Identifier: MIT
// Latent diffusion (Rombach et al. 2022): stage vae trains the autoencoder of pictures, stage unet
// the UNet, the text encoder or both on its latents.
#include "train/recipes/autoencoder_kl.h"
#include "train/recipes/latent.h"

#include <string.h>

#include "base/error.h"

struct ldm {
    bool vae_stage;
    bool unet, text; // trained
    struct fum_autoencoder_kl vae;
    struct fum_latent latent;
};

FUM_SETTING_NAMES(trained_name, "both", "unet", "text_encoder")
FUM_SETTING_NAMES(stage_name, "vae", "unet")

static enum fum_result choose_stage(struct fum_training *t, struct ldm *l, struct fum_error *err) {
    const char *stage = t->params.stage;
    l->vae_stage = stage ? !strcmp(stage, "vae") : !t->model;
    if (stage && strcmp(stage, "vae") && strcmp(stage, "unet"))
        return fum_error_unknown(err, "stage", stage, stage_name);
    return FUM_OK;
}

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct ldm *l = t->config;
    struct fum_settings *s = &t->settings;
    int trained = fum_settings_choice(s, "model.train", trained_name);
    l->unet = trained != 2;
    l->text = trained != 1;
    t->caption_drop = fum_settings_real(s, "loss.caption_drop", 0, 1);
    enum fum_result result = choose_stage(t, l, err);
    if (!result) result = fum_settings_check(s, err);
    if (!result && l->vae_stage) return fum_autoencoder_kl_open(t, &l->vae, err);
    if (!result) result = fum_latent_open(t, &l->latent, err);
    if (!result && !fum_train_can_save_pipeline(t))
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                               "%s: recipe ldm needs a diffusers folder as its model",
                               fum_model_get_info(t->model)->path);
    return result;
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    struct ldm *l = m->training->config;
    if (l->vae_stage) return fum_autoencoder_kl_loss(m, &l->vae);
    return fum_train_mean(m, fum_latent_errors(m, &l->latent));
}

static bool trains(const struct fum_training *t, const char *name) {
    const struct ldm *l = t->config;
    if (l->vae_stage) return true;
    if (!strncmp(name, "unet.", 5)) return l->unet;
    return !strncmp(name, "text_encoder", 12) && l->text;
}

// Draws the tables of a text encoder as transformers does.
static void initialise(const struct fum_training *t, const char *name,
                       struct fum_initial *initial) {
    (void)t;
    if (!strncmp(name, "text_encoder", 12) && strstr(name, ".embeddings."))
        *initial = (struct fum_initial){FUM_INITIAL_NORMAL, 0.02, NULL};
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct ldm *l = t->config;
    if (l->vae_stage) return fum_autoencoder_kl_save(t, &l->vae, dir, err);
    return fum_train_save_pipeline(t, dir, err);
}

static const double *alphas(const struct fum_training *t, int *count) {
    const struct ldm *l = t->config;
    *count = l->vae_stage ? 0 : l->latent.timesteps;
    return l->vae_stage ? NULL : l->latent.alphas;
}

const struct fum_recipe fum_recipe_ldm = {
    .name = "ldm",
    .summary = "latent diffusion with words (Rombach et al. 2022)",
    .config_size = sizeof(struct ldm),
    .configure = configure,
    .add_loss = add_loss,
    .trains = trains,
    .initialise = initialise,
    .save = save,
    .alphas = alphas,
    .images_signed = true,
    .takes_model = true,
    .has_stages = true,
};
