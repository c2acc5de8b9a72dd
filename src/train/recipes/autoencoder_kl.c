// SPDX-License-Identifier: MIT
#include "train/recipes/autoencoder_kl.h"

#include "base/error.h"
#include "base/file.h"
#include "train/recipes/vae_config.h"

// ---- settings ----

// Returns the configuration as diffusers writes it.
static cJSON *describe(struct fum_training *t) {
    struct fum_settings *s = &t->settings;
    cJSON *json = fum_vae_describe(t, "AutoencoderKL");
    fum_vae_copy_int(s, json, "norm_num_groups", 1 << 16);
    fum_vae_copy_bool(s, json, "mid_block_add_attention");
    fum_vae_copy_bool(s, json, "use_quant_conv");
    fum_vae_copy_bool(s, json, "use_post_quant_conv");
    double factor = fum_settings_real(s, "model.scaling_factor", 1e-6, 1e6);
    fum_settings_put(s, json, "scaling_factor", cJSON_CreateNumber(factor));
    return fum_settings_described(s, json);
}

static enum fum_result read_network(struct fum_training *t, struct fum_autoencoder_kl *a,
                                    struct fum_error *err) {
    if (t->model) {
        a->network = fum_model_get_view(t->model)->vae;
        return FUM_OK;
    }
    cJSON *json = describe(t);
    enum fum_result result = fum_settings_check(&t->settings, err);
    if (!result) result = fum_vae_config_parse(&a->network, json, "model", err);
    cJSON_Delete(json);
    return result;
}

// True if a file's names begin with the component's.
static bool has_prefix(const fum_loader *loader, const char *first) {
    return loader && fum_loader_find(loader, first);
}

// Names the parameters as the given files do. Otherwise those of a whole model have a prefix.
static const char *choose_prefix(const struct fum_training *t) {
    static const char resumed[] = "model.vae.encoder.conv_in.weight";
    if (t->resumed) return has_prefix(t->resumed, resumed) ? "vae." : "";
    if (t->initial) return has_prefix(t->initial, "vae.encoder.conv_in.weight") ? "vae." : "";
    return t->model ? "vae." : "";
}

enum fum_result fum_autoencoder_kl_open(struct fum_training *t, struct fum_autoencoder_kl *a,
                                        struct fum_error *err) {
    a->kl = fum_settings_real(&t->settings, "loss.kl", 0, 1e9);
    a->prefix = choose_prefix(t);
    enum fum_result result = fum_settings_check(&t->settings, err);
    if (!result) result = read_network(t, a, err);
    if (result) return result;
    int factor = fum_vae_factor(&a->network);
    if (t->channels == a->network.in_channels && t->channels == a->network.out_channels &&
        fum_train_sides_fit(t, factor))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "the pictures are %d × %d with %d channels; the autoencoder needs sides "
                         "that are multiples of %d, and %d channels",
                         t->width, t->height, t->channels, factor, a->network.in_channels);
}

// ---- the loss ----

fum_tensor *fum_autoencoder_kl_loss(struct fum_micro_batch *m, const struct fum_autoencoder_kl *a) {
    const struct fum_training *t = m->training;
    int factor = fum_vae_factor(&a->network);
    const struct fum_train_value picture = {
        "x", {3, {t->height, t->width, t->channels}}, FUM_TRAIN_PLANES};
    const struct fum_train_value latent = {
        "eps",
        {3, {t->height / factor, t->width / factor, a->network.latent_channels}},
        FUM_TRAIN_PLANES};
    struct fum_vae_moments q;
    fum_tensor *x = fum_train_images(m, &picture);
    fum_vae_encode(m->graph, &a->network, a->prefix, x, &q);
    fum_tensor *mean = fum_train_f32(m, q.mean), *log_variance = fum_train_f32(m, q.logvar);
    fum_tensor *half = fum_nn_scale(&m->nn, NULL, log_variance, 0.5, 0);
    fum_tensor *noise = fum_nn_mul(&m->nn, NULL, fum_nn_unary(&m->nn, "exp", NULL, half),
                                   fum_train_normal(m, &latent));
    fum_tensor *z = fum_nn_add(&m->nn, NULL, mean, noise);
    fum_tensor *y = fum_train_f32(m, fum_vae_decode(m->graph, &a->network, a->prefix, z));
    fum_tensor *reconstruction = fum_train_mean(m, fum_train_op(m, "squared_error", y, x, NULL));
    fum_tensor *kl =
        fum_train_batch_mean(m, fum_train_op(m, "gaussian_kl", mean, log_variance, NULL));
    fum_train_term(m, "reconstruction", reconstruction);
    fum_train_term(m, "kl", kl);
    double each = a->kl / ((double)t->width * t->height * t->channels);
    return fum_nn_add(&m->nn, NULL, reconstruction, fum_nn_scale(&m->nn, NULL, kl, each, 0));
}

// ---- the file ----

enum fum_result fum_autoencoder_kl_save(struct fum_training *t, const struct fum_autoencoder_kl *a,
                                        const char *dir, struct fum_error *err) {
    char *folder = fum_path_join(t->arena, dir, "vae"),
         *config = folder ? fum_path_join(t->arena, folder, "config.json") : NULL,
         *weights =
             folder ? fum_path_join(t->arena, folder, "diffusion_pytorch_model.safetensors") : NULL;
    if (!config || !weights) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    if (t->model && fum_train_can_save_pipeline(t) && *a->prefix)
        return fum_train_save_pipeline(t, dir, err);
    enum fum_result result = fum_path_make_dirs(folder, err);
    if (!result) result = fum_train_save_json(config, describe(t), err);
    return result ? result : fum_train_save_weights(t, weights, a->prefix, err);
}
