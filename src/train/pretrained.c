// SPDX-License-Identifier: MIT
// Opens the model that a training begins with, and finds its tensors.
#include "train/training.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "train/recipes/lora.h"

enum fum_result fum_train_open_model(struct fum_training *t, const char *path,
                                     struct fum_error *err) {
    const struct fum_model_params params = {
        .path = path, .program_dir = t->params.program_dir, .log = t->params.log};
    enum fum_result result = fum_model_open(&t->model, &params, err);
    if (result) return result;
    const char *unusable = fum_model_get_info(t->model)->unusable;
    return unusable ? fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s", unusable) : FUM_OK;
}

// Returns what follows `prefix` and a dot; NULL if the name does not begin so.
static const char *below(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    return !strncmp(name, prefix, length) && name[length] == '.' ? name + length + 1 : NULL;
}

static bool find_in_model(void *user, const char *name, struct fum_view *view) {
    const struct fum_training *t = user;
    const struct fum_model_view *v = fum_model_get_view(t->model);
    const char *rest;
    for (int i = 0; i < v->num_text; i++) {
        const struct fum_model_text *text = &v->text[i];
        if ((rest = below(name, text->component)))
            return text->weights.find(text->weights.user, rest, view);
    }
    if ((rest = below(name, "unet"))) return v->unet_weights.find(v->unet_weights.user, rest, view);
    rest = below(name, v->vqvae ? "vqvae" : "vae");
    return rest && v->vae_weights.find(v->vae_weights.user, rest, view);
}

struct fum_weight_source fum_train_model_source(struct fum_training *t) {
    return (struct fum_weight_source){.find = find_in_model, .user = t};
}

const struct fum_loader_tensor *fum_train_find_spelled(const fum_loader *loader, const char *name) {
    static const char *const encoders[] = {"text_encoder", "text_encoder_2"};
    char other[FUM_TRAIN_NAME];
    const struct fum_loader_tensor *tensor = fum_loader_find(loader, name);
    if (!tensor) tensor = fum_loader_find(loader, fum_lora_file_name(name, other));
    for (size_t i = 0; i < FUM_COUNT(encoders) && !tensor; i++) {
        const char *rest = below(name, encoders[i]),
                   *bare = rest ? below(rest, "text_model") : NULL;
        if (!rest) continue;
        if (bare) snprintf(other, sizeof other, "%s.%s", encoders[i], bare);
        if (!bare) snprintf(other, sizeof other, "%s.text_model.%s", encoders[i], rest);
        tensor = fum_loader_find(loader, other);
    }
    return tensor;
}
