// SPDX-License-Identifier: MIT
#include "model/autoencoder.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "model/config.h"

const char fum_autoencoder_class[] = "FumaroleVAE";

// ---- configuration ----

enum { MAX_WIDTH = 1 << 16 };

const char *fum_autoencoder_activation(size_t index) {
    static const char *const names[] = {"relu", "silu", "gelu", "tanh"};
    return index < FUM_COUNT(names) ? names[index] : NULL;
}

static void read_activation(struct fum_config *c, struct fum_autoencoder *a) {
    const char *name = fum_config_string(c, "activation", fum_autoencoder_activation(0));
    for (size_t i = 0; fum_autoencoder_activation(i); i++)
        if (!strcmp(name, fum_autoencoder_activation(i)))
            a->activation = fum_autoencoder_activation(i);
    if (!a->activation) fum_config_unsupported(c, "activation");
}

// Reads a list of up to FUM_AUTOENCODER_LEVELS sizes. Returns its length.
static int read_sizes(struct fum_config *c, const char *key, int *sizes) {
    int count = fum_config_list(c, key, FUM_AUTOENCODER_LEVELS);
    if (!count) fum_config_fail(c, key, "must list at least one size");
    if (!c->result)
        fum_config_ints(c, key, &(struct fum_config_list){sizes, count, 0, 1, MAX_WIDTH});
    return c->result ? 0 : count;
}

static void read_layers(struct fum_config *c, struct fum_autoencoder *a) {
    a->conv = !strcmp(fum_config_string(c, "arch", "mlp"), "conv");
    a->chain = fum_config_has(c, "levels");
    if (a->chain && a->classes) fum_config_fail(c, "classes", "must be 0 beside \"levels\"");
    if (!fum_config_has(c, "latent")) fum_config_fail(c, "latent", "is missing");
    if (a->chain) {
        a->hidden[0] = fum_config_int(c, "hidden", 1, 1, MAX_WIDTH);
        a->levels = read_sizes(c, "latent", a->latent);
    } else {
        a->levels = read_sizes(c, a->conv ? "channels" : "hidden", a->hidden);
        a->latent[0] = fum_config_int(c, "latent", 1, 1, MAX_WIDTH);
    }
}

enum fum_result fum_autoencoder_parse(struct fum_autoencoder *a, const cJSON *json,
                                      const char *where, struct fum_error *err) {
    struct fum_config c = {.json = json, .where = where, .err = err};
    int size[3] = {0};
    *a = (struct fum_autoencoder){.classes = fum_config_int(&c, "classes", 0, 0, 1 << 20)};
    fum_config_ints(&c, "image", &(struct fum_config_list){size, 3, 0, 1, MAX_WIDTH});
    if (!c.result && size[0] != 1 && size[0] != 3)
        fum_config_fail(&c, "image", "has %d channels; pictures have 1 or 3", size[0]);
    a->channels = size[0];
    a->height = size[1];
    a->width = size[2];
    read_layers(&c, a);
    read_activation(&c, a);
    if (!c.result &&
        (a->width % fum_autoencoder_multiple(a) || a->height % fum_autoencoder_multiple(a)))
        fum_config_fail(&c, "image", "must have sides that are multiples of %d",
                        fum_autoencoder_multiple(a));
    return c.result;
}

static bool add_ints(cJSON *json, const char *key, const int *values, int count) {
    cJSON *list = cJSON_CreateIntArray(values, count);
    if (list && cJSON_AddItemToObject(json, key, list)) return true;
    cJSON_Delete(list);
    return false;
}

// Describes the layers: of a chain of latents, or of one latent.
static bool describe_layers(const struct fum_autoencoder *a, cJSON *json) {
    if (a->chain)
        return cJSON_AddNumberToObject(json, "levels", a->levels) &&
               cJSON_AddNumberToObject(json, "hidden", a->hidden[0]) &&
               add_ints(json, "latent", a->latent, a->levels);
    return cJSON_AddStringToObject(json, "arch", a->conv ? "conv" : "mlp") &&
           add_ints(json, a->conv ? "channels" : "hidden", a->hidden, a->levels) &&
           cJSON_AddNumberToObject(json, "latent", a->latent[0]);
}

bool fum_autoencoder_describe(const struct fum_autoencoder *a, cJSON *json) {
    const int size[] = {a->channels, a->height, a->width};
    return add_ints(json, "image", size, 3) &&
           cJSON_AddStringToObject(json, "activation", a->activation) &&
           (!a->classes || cJSON_AddNumberToObject(json, "classes", a->classes)) &&
           describe_layers(a, json);
}

int fum_autoencoder_multiple(const struct fum_autoencoder *a) {
    return a->conv ? 1 << a->levels : 1;
}

int64_t fum_autoencoder_pixels(const struct fum_autoencoder *a) {
    return (int64_t)a->width * a->height * a->channels;
}

struct fum_shape fum_autoencoder_shape(const struct fum_autoencoder *a, int batch) {
    if (a->conv) return (struct fum_shape){4, {batch, a->height, a->width, a->channels}};
    return (struct fum_shape){2, {batch, fum_autoencoder_pixels(a)}};
}

// ---- layers ----

// Adds a conversion to f32, in which distributions are computed.
static fum_tensor *widen(struct fum_nn *nn, fum_tensor *x) {
    const struct fum_attr attrs[] = {{"dtype", FUM_F32}, {0}};
    if (!x || fum_tensor_dtype(x) == FUM_F32) return x;
    return fum_graph_add(nn->graph, "cast", NULL, FUM_INPUTS(x), attrs);
}

static fum_tensor *activate(struct fum_nn *nn, const struct fum_autoencoder *a, fum_tensor *x) {
    return fum_nn_unary(nn, a->activation, NULL, x);
}

// Writes the name of a numbered layer, "encoder.0".
static const char *layer_name(char name[32], const char *part, int i) {
    snprintf(name, 32, "%s.%d", part, i);
    return name;
}

// Adds the layers "mean" and "log_variance".
static struct fum_posterior add_heads(struct fum_nn *nn, fum_tensor *x, int latent) {
    return (struct fum_posterior){widen(nn, fum_nn_linear(nn, "mean", x, latent, true)),
                                  widen(nn, fum_nn_linear(nn, "log_variance", x, latent, true))};
}

// Reorders [batch, height · width, channels] to [batch, channels, height · width], or back.
static fum_tensor *swap_last(struct fum_nn *nn, fum_tensor *x) {
    const struct fum_attr attrs[] = {{"p0", 0}, {"p1", 2}, {"p2", 1}, {0}};
    return x ? fum_graph_add(nn->graph, "transpose", NULL, FUM_INPUTS(x), attrs) : NULL;
}

// Flattens pictures in the order [channels, height, width].
static fum_tensor *flatten(struct fum_nn *nn, fum_tensor *x) {
    x = swap_last(nn, fum_nn_tokens(nn, x));
    if (!x) return NULL;
    struct fum_shape s = fum_tensor_shape(x);
    return fum_nn_reshape(nn, NULL, x, (struct fum_shape){2, {s.dim[0], s.dim[1] * s.dim[2]}});
}

struct fum_posterior fum_autoencoder_encode(struct fum_nn *nn, const struct fum_autoencoder *a,
                                            fum_tensor *x) {
    static const struct fum_nn_conv halve = {.stride = 2, .pad = 1};
    char name[32];
    x = fum_nn_stored(nn, x);
    for (int i = 0; i < a->levels; i++) {
        layer_name(name, "encoder", i);
        x = a->conv ? fum_nn_conv(nn, name, x, a->hidden[i], &halve)
                    : fum_nn_linear(nn, name, x, a->hidden[i], true);
        x = activate(nn, a, x);
    }
    if (a->conv) x = flatten(nn, x);
    return add_heads(nn, x, a->latent[0]);
}

static fum_tensor *decode_conv(struct fum_nn *nn, const struct fum_autoencoder *a, fum_tensor *z) {
    char name[32];
    if (!z) return NULL;
    int last = a->hidden[a->levels - 1];
    int64_t batch = fum_tensor_shape(z).dim[0];
    int64_t height = a->height >> a->levels, width = a->width >> a->levels;
    fum_tensor *x = fum_nn_linear(nn, "expand", z, last * height * width, true);
    x = activate(nn, a, x);
    x = fum_nn_reshape(nn, NULL, x, (struct fum_shape){3, {batch, last, height * width}});
    x = fum_nn_reshape(nn, NULL, swap_last(nn, x),
                       (struct fum_shape){4, {batch, height, width, last}});
    for (int i = 0; i < a->levels; i++) {
        int to = i + 1 < a->levels ? a->hidden[a->levels - 2 - i] : a->hidden[0];
        x = fum_nn_unary(nn, "upsample", NULL, x);
        x = activate(nn, a, fum_nn_conv(nn, layer_name(name, "decoder", i), x, to, NULL));
    }
    return fum_nn_conv(nn, "output", x, a->channels, NULL);
}

static fum_tensor *decode_mlp(struct fum_nn *nn, const struct fum_autoencoder *a, fum_tensor *x) {
    char name[32];
    for (int i = 0; i < a->levels; i++) {
        layer_name(name, "decoder", i);
        x = activate(nn, a, fum_nn_linear(nn, name, x, a->hidden[a->levels - 1 - i], true));
    }
    return fum_nn_linear(nn, "output", x, fum_autoencoder_pixels(a), true);
}

// ---- chains ----

// Adds the hidden layer of a conditional.
static fum_tensor *add_hidden(struct fum_nn *nn, const struct fum_autoencoder *a,
                              fum_tensor *given) {
    fum_tensor *x = fum_nn_linear(nn, "hidden", fum_nn_stored(nn, given), a->hidden[0], true);
    return activate(nn, a, x);
}

struct fum_posterior fum_autoencoder_link(struct fum_nn *nn, const struct fum_autoencoder *a,
                                          const char *side, int t, fum_tensor *given) {
    size_t mark = fum_nn_enter(nn, "%s.%d", side, t);
    struct fum_posterior result = add_heads(nn, add_hidden(nn, a, given), a->latent[t - 1]);
    fum_nn_leave(nn, mark);
    return result;
}

static fum_tensor *decode_chain(struct fum_nn *nn, const struct fum_autoencoder *a, fum_tensor *z) {
    size_t mark = fum_nn_enter(nn, "p.0");
    fum_tensor *x = add_hidden(nn, a, z);
    x = fum_nn_linear(nn, "output", x, fum_autoencoder_pixels(a), true);
    fum_nn_leave(nn, mark);
    return x;
}

fum_tensor *fum_autoencoder_decode(struct fum_nn *nn, const struct fum_autoencoder *a,
                                   fum_tensor *z) {
    fum_tensor *x = fum_nn_stored(nn, z);
    if (a->chain) return widen(nn, decode_chain(nn, a, x));
    return widen(nn, a->conv ? decode_conv(nn, a, x) : decode_mlp(nn, a, x));
}

// ---- distributions ----

fum_tensor *fum_posterior_sample(struct fum_nn *nn, const struct fum_posterior *q,
                                 fum_tensor *noise) {
    fum_tensor *half = fum_nn_scale(nn, NULL, q->log_variance, 0.5, 0);
    fum_tensor *deviation = fum_nn_unary(nn, "exp", NULL, half);
    return fum_nn_add(nn, NULL, q->mean, fum_nn_mul(nn, NULL, deviation, noise));
}

fum_tensor *fum_autoencoder_class_means(struct fum_nn *nn, const struct fum_autoencoder *a,
                                        fum_tensor *labels) {
    return widen(nn, fum_nn_embedding(nn, "class_mean", labels, a->classes, a->latent[0]));
}
