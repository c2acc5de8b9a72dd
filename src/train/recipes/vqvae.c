// SPDX-License-Identifier: MIT
// The VQ-VAE of van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning"
// (2017). loss = reconstruction + codebook + commitment weight · commitment. The codebook follows
// moving averages of the encoder's outputs instead if loss.codebook is ema (its appendix A.1).
#include "train/recipes/codebook.h"

#include "base/error.h"
#include "base/file.h"
#include "train/recipes/vae_config.h"

FUM_SETTING_NAMES(codebook_name, "gradient", "ema")

// Returns the configuration as diffusers' VQModel writes it.
static cJSON *describe(struct fum_training *t) {
    struct fum_settings *s = &t->settings;
    cJSON *json = fum_vae_describe(t, "VQModel");
    fum_vae_copy_int(s, json, "vq_embed_dim", FUM_VAE_MAX_LATENT);
    fum_vae_copy_int(s, json, "num_vq_embeddings", 1 << 20);
    fum_vae_copy_int(s, json, "norm_num_groups", 1 << 16);
    fum_settings_put(s, json, "norm_type", cJSON_CreateString("group"));
    fum_vae_copy_bool(s, json, "mid_block_add_attention");
    fum_settings_put(s, json, "scaling_factor", cJSON_CreateNumber(1));
    return fum_settings_described(s, json);
}

static enum fum_result check_sides(struct fum_training *t, const struct fum_vq_config *network) {
    int factor = fum_vae_factor(&network->vae);
    if (t->width % factor || t->height % factor)
        fum_settings_fail(&t->settings, "model.block_out_channels",
                          "has %d levels, so the pictures' sides must be multiples of %d; they are "
                          "%d × %d",
                          network->vae.num_blocks, factor, t->width, t->height);
    return t->settings.result;
}

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct fum_codebook *c = t->config;
    cJSON *json = describe(t);
    c->averaged = fum_settings_choice(s, "loss.codebook", codebook_name) == 1;
    c->commitment = fum_settings_real(s, "loss.commitment", 0, 1e9);
    c->decay = fum_settings_real(s, "loss.decay", 0, 1);
    c->restart = fum_settings_int(s, "loss.restart", 0, 1000000000);
    enum fum_result result = fum_settings_check(s, err);
    if (!result) result = fum_vq_config_parse(&c->network, json, "model", err);
    cJSON_Delete(json);
    if (result) return result;
    check_sides(t, &c->network);
    return fum_settings_check(s, err);
}

static fum_tensor *stop(struct fum_micro_batch *m, fum_tensor *x) {
    return fum_train_op(m, "stop_gradient", x, NULL, NULL);
}

static fum_tensor *mean_error(struct fum_micro_batch *m, fum_tensor *a, fum_tensor *b) {
    return fum_train_mean(m, fum_train_op(m, "squared_error", a, b, NULL));
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    struct fum_training *t = m->training;
    struct fum_codebook *c = t->config;
    const struct fum_train_value picture = {
        "x", {3, {t->height, t->width, t->channels}}, FUM_TRAIN_PLANES};
    fum_tensor *x = fum_train_images(m, &picture);
    fum_tensor *z =
        fum_train_f32(m, fum_vq_encode(m->graph, &c->network, NULL, fum_nn_stored(&m->nn, x)));
    fum_tensor *vectors = fum_codebook_look_up(m, c, z);
    // The decoder's gradient goes straight to the encoder.
    fum_tensor *off = stop(m, fum_train_op(m, "sub", vectors, z, NULL));
    fum_tensor *quantised = fum_nn_stored(&m->nn, fum_nn_add(&m->nn, NULL, z, off));
    fum_tensor *y = fum_train_f32(m, fum_vq_decode(m->graph, &c->network, NULL, quantised));
    fum_tensor *reconstruction = fum_train_term(m, "reconstruction", mean_error(m, y, x));
    fum_tensor *commitment = fum_train_term(m, "commitment", mean_error(m, z, stop(m, vectors)));
    fum_tensor *codebook = fum_train_term(m, "codebook", mean_error(m, stop(m, z), vectors));
    fum_train_whole_term(m, "perplexity", fum_codebook_perplexity(m, c));
    commitment = fum_nn_scale(&m->nn, NULL, commitment, c->commitment, 0);
    fum_tensor *loss = fum_nn_add(&m->nn, NULL, reconstruction, commitment);
    return c->averaged ? loss : fum_nn_add(&m->nn, NULL, loss, codebook);
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    char *config = fum_path_join(t->arena, dir, "config.json"),
         *weights = fum_path_join(t->arena, dir, "diffusion_pytorch_model.safetensors");
    if (!config || !weights) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    enum fum_result result = fum_train_save_json(config, describe(t), err);
    return result ? result : fum_train_save_weights(t, weights, "", err);
}

const struct fum_recipe fum_recipe_vqvae = {
    .name = "vqvae",
    .summary = "VQ-VAE, pictures as vectors of a codebook (van den Oord 2017)",
    .config_size = sizeof(struct fum_codebook),
    .configure = configure,
    .add_loss = add_loss,
    .excludes = fum_codebook_excludes,
    .update = fum_codebook_update,
    .initialise = fum_codebook_initialise,
    .save = save,
    .images_signed = true,
};
