// SPDX-License-Identifier: MIT
// DreamBooth of Ruiz et al., "DreamBooth: Fine Tuning Text-to-Image Diffusion Models for
// Subject-Driven Generation" (2022). A few pictures of a subject teach the model a new word.
// Pictures of its class, drawn by the model itself, keep what it knew.
// loss = instance + prior weight · prior.
#include "train/recipes/latent.h"
#include "train/recipes/lora.h"

#include <string.h>

#include "base/error.h"

struct dreambooth {
    double prior;
    bool text; // the text encoder is trained
    struct fum_lora lora;
    struct fum_latent latent;
};

FUM_SETTING_NAMES(trained_name, "unet", "both")

// True if the file to replay has the rows of a prior.
static bool replays_prior(const struct fum_training *t) {
    const struct fum_loader_tensor *x = t->replay ? fum_loader_find(t->replay, "x") : NULL;
    return x && x->view.dim[1] == 2 * (int64_t)t->options.batch * t->options.accumulate;
}

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct dreambooth *d = t->config;
    struct fum_settings *s = &t->settings;
    fum_lora_read(s, &d->lora, 0);
    d->prior = fum_settings_real(s, "loss.prior", 0, 1e6);
    d->text = fum_settings_choice(s, "model.train", trained_name) == 1;
    if (d->lora.rank && d->text) d->lora.text_encoder = true;
    if (d->prior > 0 || replays_prior(t)) t->rows = 2 * t->part.count;
    enum fum_result result = fum_settings_check(s, err);
    if (!result) result = fum_latent_open(t, &d->latent, err);
    if (!result && !d->lora.rank && !fum_train_can_save_pipeline(t))
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                               "%s: a whole model can only be trained from a diffusers folder; "
                               "lora.rank trains an adapter of this file",
                               fum_model_get_info(t->model)->path);
    return result;
}

static enum fum_result prepare(struct fum_training *t, struct fum_error *err) {
    return t->rows > t->part.count ? fum_train_open_prior(t, err) : FUM_OK;
}

// Returns the mean error of the instances, or of the prior.
static fum_tensor *mean_of_half(struct fum_micro_batch *m, fum_tensor *errors, int half) {
    int count = m->training->part.count;
    if (m->training->rows == count) return fum_train_mean(m, errors);
    return fum_train_mean(
        m, fum_nn_slice(&m->nn, NULL, errors, (struct fum_nn_range){0, half * count, count}));
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct dreambooth *d = m->training->config;
    fum_tensor *errors = fum_latent_errors(m, &d->latent);
    if (!errors) return NULL;
    fum_tensor *instance = fum_train_term(m, "instance", mean_of_half(m, errors, 0));
    if (m->training->rows == m->training->part.count) return instance;
    fum_tensor *prior = fum_train_term(m, "prior", mean_of_half(m, errors, 1));
    return fum_nn_add(&m->nn, NULL, instance, fum_nn_scale(&m->nn, NULL, prior, d->prior, 0));
}

static bool trains(const struct fum_training *t, const char *name) {
    const struct dreambooth *d = t->config;
    if (d->lora.rank) return fum_lora_owns(name);
    return !strncmp(name, "unet.", 5) || (d->text && !strncmp(name, "text_encoder", 12));
}

// Finds the model's own weights; adapters are drawn.
static bool find_initial(struct fum_training *t, const char *name, struct fum_view *view) {
    const struct fum_weight_source source = fum_train_model_source(t);
    return !fum_lora_owns(name) && source.find(source.user, name, view);
}

static fum_tensor *adapt(struct fum_training *t, const struct fum_graph_layer *layer) {
    const struct dreambooth *d = t->config;
    return fum_lora_adapt(t, &d->lora, layer);
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct dreambooth *d = t->config;
    return d->lora.rank ? fum_lora_save(t, &d->lora, dir, err)
                        : fum_train_save_pipeline(t, dir, err);
}

static const double *alphas(const struct fum_training *t, int *count) {
    const struct dreambooth *d = t->config;
    *count = d->latent.timesteps;
    return d->latent.alphas;
}

const struct fum_recipe fum_recipe_dreambooth = {
    .name = "dreambooth",
    .summary = "a subject for a Stable Diffusion, from a few pictures (Ruiz et al. 2022)",
    .config_size = sizeof(struct dreambooth),
    .configure = configure,
    .prepare = prepare,
    .add_loss = add_loss,
    .initialise = fum_lora_initialise,
    .save = save,
    .alphas = alphas,
    .trains = trains,
    .find_initial = find_initial,
    .adapt = adapt,
    .ignores = fum_lora_is_alpha,
    .images_signed = true,
    .takes_model = true,
};
