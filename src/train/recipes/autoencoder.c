// SPDX-License-Identifier: MIT
#include "train/recipes/autoencoder.h"

#include "base/error.h"
#include "base/file.h"

FUM_SETTING_NAMES(arch_name, "mlp", "conv")
FUM_SETTING_NAMES(reconstruction_name, "bernoulli", "gaussian")

void fum_autoencoder_read_pictures(struct fum_training *t, struct fum_autoencoder_recipe *r) {
    struct fum_settings *s = &t->settings;
    r->gaussian = fum_settings_choice(s, "loss.reconstruction", reconstruction_name) == 1;
    r->variance = fum_settings_real(s, "loss.variance", 1e-12, 1e12);
    r->network.width = t->width;
    r->network.height = t->height;
    r->network.channels = t->channels;
}

enum fum_result fum_autoencoder_configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct fum_autoencoder_recipe *r = t->config;
    struct fum_autoencoder *a = &r->network;
    a->conv = fum_settings_choice(s, "model.arch", arch_name) == 1;
    a->levels = fum_settings_ints(s, a->conv ? "model.channels" : "model.hidden", a->hidden,
                                  FUM_AUTOENCODER_LEVELS);
    a->latent[0] = (int)fum_settings_int(s, "model.latent", 1, 1 << 16);
    a->activation = fum_autoencoder_activation(
        (size_t)fum_settings_choice(s, "model.activation", fum_autoencoder_activation));
    r->beta = fum_settings_real(s, "loss.beta", 0, 1e9);
    fum_autoencoder_read_pictures(t, r);
    int multiple = fum_autoencoder_multiple(a);
    if (a->width % multiple || a->height % multiple)
        fum_settings_fail(s, "model.channels",
                          "has %d levels, so the pictures' sides must be multiples of %d; they are "
                          "%d × %d",
                          a->levels, multiple, a->width, a->height);
    return fum_settings_check(s, err);
}

fum_tensor *fum_autoencoder_images(struct fum_micro_batch *m, const struct fum_autoencoder *a) {
    struct fum_train_value value = {.name = "x", .shape = {1, {fum_autoencoder_pixels(a)}}};
    if (a->conv)
        value = (struct fum_train_value){
            "x", {3, {a->height, a->width, a->channels}}, FUM_TRAIN_PLANES};
    return fum_train_images(m, &value);
}

fum_tensor *fum_train_draw_posterior(struct fum_micro_batch *m, const struct fum_posterior *q,
                                     const char *name) {
    const struct fum_train_value value = {name, {1, {fum_nn_channels(q->mean)}}, FUM_TRAIN_FLAT};
    return fum_posterior_sample(&m->nn, q, fum_train_normal(m, &value));
}

fum_tensor *fum_autoencoder_reconstruction(struct fum_micro_batch *m,
                                           const struct fum_autoencoder_recipe *r,
                                           fum_tensor *logits, fum_tensor *x) {
    if (!r->gaussian)
        return fum_train_batch_mean(m, fum_train_op(m, "binary_cross_entropy", logits, x, NULL));
    fum_tensor *mean = fum_nn_unary(&m->nn, "sigmoid", NULL, logits);
    fum_tensor *error = fum_train_op(m, "squared_error", mean, x, NULL);
    return fum_nn_scale(&m->nn, NULL, fum_train_batch_mean(m, error), 0.5 / r->variance, 0);
}

fum_tensor *fum_autoencoder_loss(struct fum_micro_batch *m, fum_tensor *prior) {
    const struct fum_autoencoder_recipe *r = m->training->config;
    fum_tensor *x = fum_autoencoder_images(m, &r->network);
    struct fum_posterior q = fum_autoencoder_encode(&m->nn, &r->network, x);
    fum_tensor *z = fum_train_draw_posterior(m, &q, "eps");
    fum_tensor *logits = fum_autoencoder_decode(&m->nn, &r->network, z);
    fum_tensor *kl = fum_train_op(m, "gaussian_kl", q.mean, q.log_variance, prior);
    fum_tensor *reconstruction = fum_autoencoder_reconstruction(m, r, logits, x);
    kl = fum_train_batch_mean(m, kl);
    fum_train_term(m, "reconstruction", reconstruction);
    fum_train_term(m, "kl", kl);
    return fum_nn_add(&m->nn, NULL, reconstruction, fum_nn_scale(&m->nn, NULL, kl, r->beta, 0));
}

// Returns the configuration, or NULL without memory.
static cJSON *describe(const struct fum_training *t) {
    const struct fum_autoencoder_recipe *r = t->config;
    const char *reconstruction = r->gaussian ? "gaussian" : "bernoulli";
    cJSON *json = cJSON_CreateObject();
    if (json && cJSON_AddStringToObject(json, "_class_name", fum_autoencoder_class) &&
        cJSON_AddStringToObject(json, "recipe", t->recipe->name) &&
        cJSON_AddStringToObject(json, "reconstruction", reconstruction) &&
        cJSON_AddNumberToObject(json, "variance", r->variance) &&
        fum_autoencoder_describe(&r->network, json))
        return json;
    cJSON_Delete(json);
    return NULL;
}

enum fum_result fum_autoencoder_save(struct fum_training *t, const char *dir,
                                     struct fum_error *err) {
    char *config = fum_path_join(t->arena, dir, "config.json"),
         *weights = fum_path_join(t->arena, dir, "model.safetensors");
    if (!config || !weights) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    enum fum_result result = fum_train_save_json(config, describe(t), err);
    return result ? result : fum_train_save_weights(t, weights, "", err);
}
