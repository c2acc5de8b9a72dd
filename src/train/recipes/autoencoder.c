// SPDX-License-Identifier: MIT
#include "train/recipes/autoencoder.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"

FUM_SETTING_NAMES(arch_name, "mlp", "conv")
FUM_SETTING_NAMES(activation_name, "relu", "silu", "gelu", "tanh")
FUM_SETTING_NAMES(reconstruction_name, "bernoulli", "gaussian")

void fum_autoencoder_read_loss(struct fum_settings *s, struct fum_autoencoder *a) {
    a->gaussian = fum_settings_choice(s, "loss.reconstruction", reconstruction_name) == 1;
    a->variance = fum_settings_real(s, "loss.variance", 1e-12, 1e12);
}

void fum_autoencoder_take_size(const struct fum_training *t, struct fum_autoencoder *a) {
    a->width = t->width;
    a->height = t->height;
    a->channels = t->channels;
}

enum fum_result fum_autoencoder_configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct fum_autoencoder *a = t->config;
    a->conv = fum_settings_choice(s, "model.arch", arch_name) == 1;
    a->levels = fum_settings_ints(s, a->conv ? "model.channels" : "model.hidden", a->hidden,
                                  FUM_AUTOENCODER_LEVELS);
    a->latent = (int)fum_settings_int(s, "model.latent", 1, 1 << 16);
    a->activation =
        activation_name((size_t)fum_settings_choice(s, "model.activation", activation_name));
    a->beta = fum_settings_real(s, "loss.beta", 0, 1e9);
    fum_autoencoder_read_loss(s, a);
    fum_autoencoder_take_size(t, a);
    int multiple = 1 << a->levels;
    if (a->conv && (a->width % multiple || a->height % multiple))
        fum_settings_fail(s, "model.channels",
                          "has %d levels, so the pictures' sides must be multiples of %d; they are "
                          "%d × %d",
                          a->levels, multiple, a->width, a->height);
    return fum_settings_check(s, err);
}

int64_t fum_autoencoder_pixels(const struct fum_autoencoder *a) {
    return (int64_t)a->width * a->height * a->channels;
}

fum_tensor *fum_autoencoder_images(struct fum_micro_batch *m, const struct fum_autoencoder *a) {
    struct fum_train_value value = {.name = "x", .shape = {1, {fum_autoencoder_pixels(a)}}};
    if (a->conv)
        value = (struct fum_train_value){
            "x", {3, {a->height, a->width, a->channels}}, FUM_TRAIN_PLANES};
    return fum_train_images(m, &value);
}

// Enters a numbered layer ("encoder.0") and leaves it again, with its name in `name`.
static const char *layer_name(char name[32], const char *part, int i) {
    snprintf(name, 32, "%s.%d", part, i);
    return name;
}

static fum_tensor *activate(struct fum_micro_batch *m, const struct fum_autoencoder *a,
                            fum_tensor *x) {
    return fum_nn_unary(&m->nn, a->activation, NULL, x);
}

// Reorders [batch, height · width, channels] to [batch, channels, height · width], or back.
static fum_tensor *swap_last(struct fum_micro_batch *m, fum_tensor *x) {
    const struct fum_attr attrs[] = {{"p0", 0}, {"p1", 2}, {"p2", 1}, {0}};
    return x ? fum_graph_add(m->graph, "transpose", NULL, FUM_INPUTS(x), attrs) : NULL;
}

// Flattens pictures in the order [channels, height, width].
static fum_tensor *flatten(struct fum_micro_batch *m, fum_tensor *x) {
    x = swap_last(m, fum_nn_tokens(&m->nn, x));
    struct fum_shape s = fum_tensor_shape(x);
    return fum_nn_reshape(&m->nn, NULL, x, (struct fum_shape){2, {s.dim[0], s.dim[1] * s.dim[2]}});
}

struct fum_posterior fum_autoencoder_heads(struct fum_micro_batch *m, fum_tensor *x, int latent) {
    return (struct fum_posterior){
        fum_train_f32(m, fum_nn_linear(&m->nn, "mean", x, latent, true)),
        fum_train_f32(m, fum_nn_linear(&m->nn, "log_variance", x, latent, true))};
}

struct fum_posterior fum_autoencoder_encode(struct fum_micro_batch *m,
                                            const struct fum_autoencoder *a, fum_tensor *x) {
    static const struct fum_nn_conv halve = {.stride = 2, .pad = 1};
    char name[32];
    x = fum_nn_stored(&m->nn, x);
    for (int i = 0; i < a->levels; i++) {
        layer_name(name, "encoder", i);
        x = a->conv ? fum_nn_conv(&m->nn, name, x, a->hidden[i], &halve)
                    : fum_nn_linear(&m->nn, name, x, a->hidden[i], true);
        x = activate(m, a, x);
    }
    if (a->conv) x = flatten(m, x);
    return fum_autoencoder_heads(m, x, a->latent);
}

fum_tensor *fum_train_draw_posterior(struct fum_micro_batch *m, const struct fum_posterior *q,
                                     const char *name) {
    const struct fum_train_value value = {name, {1, {fum_nn_channels(q->mean)}}, FUM_TRAIN_FLAT};
    fum_tensor *half = fum_nn_scale(&m->nn, NULL, q->log_variance, 0.5, 0);
    fum_tensor *deviation = fum_nn_unary(&m->nn, "exp", NULL, half);
    fum_tensor *noise = fum_nn_mul(&m->nn, NULL, deviation, fum_train_normal(m, &value));
    return fum_nn_add(&m->nn, NULL, q->mean, noise);
}

static fum_tensor *decode_conv(struct fum_micro_batch *m, const struct fum_autoencoder *a,
                               fum_tensor *z) {
    char name[32];
    int last = a->hidden[a->levels - 1], batch = m->batch;
    int64_t height = a->height >> a->levels, width = a->width >> a->levels;
    fum_tensor *x = fum_nn_linear(&m->nn, "expand", z, last * height * width, true);
    x = activate(m, a, x);
    x = fum_nn_reshape(&m->nn, NULL, x, (struct fum_shape){3, {batch, last, height * width}});
    x = fum_nn_reshape(&m->nn, NULL, swap_last(m, x),
                       (struct fum_shape){4, {batch, height, width, last}});
    for (int i = 0; i < a->levels; i++) {
        int to = i + 1 < a->levels ? a->hidden[a->levels - 2 - i] : a->hidden[0];
        x = fum_nn_unary(&m->nn, "upsample", NULL, x);
        x = activate(m, a, fum_nn_conv(&m->nn, layer_name(name, "decoder", i), x, to, NULL));
    }
    return fum_nn_conv(&m->nn, "output", x, a->channels, NULL);
}

fum_tensor *fum_autoencoder_decode(struct fum_micro_batch *m, const struct fum_autoencoder *a,
                                   fum_tensor *z) {
    char name[32];
    fum_tensor *x = fum_nn_stored(&m->nn, z);
    if (a->conv) return fum_train_f32(m, decode_conv(m, a, x));
    for (int i = 0; i < a->levels; i++) {
        layer_name(name, "decoder", i);
        x = activate(m, a, fum_nn_linear(&m->nn, name, x, a->hidden[a->levels - 1 - i], true));
    }
    return fum_train_f32(m, fum_nn_linear(&m->nn, "output", x, fum_autoencoder_pixels(a), true));
}

fum_tensor *fum_autoencoder_reconstruction(struct fum_micro_batch *m,
                                           const struct fum_autoencoder *a, fum_tensor *logits,
                                           fum_tensor *x) {
    if (!a->gaussian)
        return fum_train_batch_mean(m, fum_train_op(m, "binary_cross_entropy", logits, x, NULL));
    fum_tensor *mean = fum_nn_unary(&m->nn, "sigmoid", NULL, logits);
    fum_tensor *error = fum_train_op(m, "squared_error", mean, x, NULL);
    return fum_nn_scale(&m->nn, NULL, fum_train_batch_mean(m, error), 0.5 / a->variance, 0);
}

fum_tensor *fum_autoencoder_bound(struct fum_micro_batch *m, const struct fum_autoencoder *a,
                                  fum_tensor *reconstruction, fum_tensor *kl) {
    kl = fum_train_batch_mean(m, kl);
    fum_train_term(m, "reconstruction", reconstruction);
    fum_train_term(m, "kl", kl);
    return fum_nn_add(&m->nn, NULL, reconstruction, fum_nn_scale(&m->nn, NULL, kl, a->beta, 0));
}

cJSON *fum_autoencoder_describe(const struct fum_training *t, const struct fum_autoencoder *a) {
    cJSON *json = cJSON_CreateObject();
    const int size[] = {a->channels, a->height, a->width};
    cJSON_AddStringToObject(json, "_class_name", "FumaroleVAE");
    cJSON_AddStringToObject(json, "recipe", t->recipe->name);
    cJSON_AddItemToObject(json, "image", cJSON_CreateIntArray(size, 3));
    cJSON_AddStringToObject(json, "reconstruction", a->gaussian ? "gaussian" : "bernoulli");
    cJSON_AddNumberToObject(json, "variance", a->variance);
    return json;
}

enum fum_result fum_autoencoder_save_as(struct fum_training *t, const char *dir, cJSON *json,
                                        struct fum_error *err) {
    char *config = fum_path_join(t->arena, dir, "config.json"),
         *weights = fum_path_join(t->arena, dir, "model.safetensors");
    if (!config || !weights) {
        cJSON_Delete(json);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    }
    enum fum_result result = fum_train_save_json(config, json, err);
    return result ? result : fum_train_save_weights(t, weights, "", err);
}

enum fum_result fum_autoencoder_save(struct fum_training *t, const char *dir,
                                     struct fum_error *err) {
    const struct fum_autoencoder *a = t->config;
    cJSON *json = fum_autoencoder_describe(t, a);
    cJSON_AddStringToObject(json, "arch", a->conv ? "conv" : "mlp");
    cJSON_AddItemToObject(json, a->conv ? "channels" : "hidden",
                          cJSON_CreateIntArray(a->hidden, a->levels));
    cJSON_AddNumberToObject(json, "latent", a->latent);
    cJSON_AddStringToObject(json, "activation", a->activation);
    if (a->classes) cJSON_AddNumberToObject(json, "classes", a->classes);
    return fum_autoencoder_save_as(t, dir, json, err);
}
