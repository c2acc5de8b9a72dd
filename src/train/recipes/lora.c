// SPDX-License-Identifier: MIT
// LoRA of Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021), for the UNet of a
// Stable Diffusion and, if requested, its text encoders. The model itself stays as it is.
#include "train/recipes/lora.h"

#include "train/recipes/latent.h"

struct lora_training {
    struct fum_lora lora;
    struct fum_latent latent;
};

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct lora_training *l = t->config;
    fum_lora_read(&t->settings, &l->lora, 1);
    t->caption_drop = fum_settings_real(&t->settings, "loss.caption_drop", 0, 1);
    enum fum_result result = fum_settings_check(&t->settings, err);
    return result ? result : fum_latent_open(t, &l->latent, err);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct lora_training *l = m->training->config;
    return fum_train_mean(m, fum_latent_errors(m, &l->latent));
}

static bool trains(const struct fum_training *t, const char *name) {
    (void)t;
    return fum_lora_owns(name);
}

static fum_tensor *adapt(struct fum_training *t, const struct fum_graph_layer *layer) {
    const struct lora_training *l = t->config;
    return fum_lora_adapt(t, &l->lora, layer);
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct lora_training *l = t->config;
    return fum_lora_save(t, &l->lora, dir, err);
}

static const double *alphas(const struct fum_training *t, int *count) {
    const struct lora_training *l = t->config;
    *count = l->latent.timesteps;
    return l->latent.alphas;
}

const struct fum_recipe fum_recipe_lora = {
    .name = "lora",
    .summary = "adapter of low rank for a Stable Diffusion (Hu et al. 2021)",
    .config_size = sizeof(struct lora_training),
    .configure = configure,
    .add_loss = add_loss,
    .initialise = fum_lora_initialise,
    .save = save,
    .alphas = alphas,
    .trains = trains,
    .adapt = adapt,
    .ignores = fum_lora_is_alpha,
    .images_signed = true,
    .takes_model = true,
};
