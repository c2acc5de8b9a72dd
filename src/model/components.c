// SPDX-License-Identifier: MIT
// Keeps the list of a model's components that have weights.
#include "model/components.h"

#include "base/block.h"
#include "base/error.h"

#include <string.h>

enum {
    WITH_TEXT = 1 << FUM_FAMILY_TEXT,
    WITH_PIXELS = 1 << FUM_FAMILY_PIXELS,
    WITH_VECTORS = 1 << FUM_FAMILY_VECTORS,
};

const struct fum_model_role fum_model_roles[FUM_MODEL_ROLES] = {
    {.name = "text_encoder", .tokenizer = "tokenizer", .kinds = WITH_TEXT},
    {.name = "text_encoder_2", .tokenizer = "tokenizer_2", .kinds = WITH_TEXT},
    {.name = "unet", .required = true, .kinds = WITH_TEXT | WITH_PIXELS | WITH_VECTORS},
    {.name = "vae", .required = true, .kinds = WITH_TEXT},
    {.name = "vqvae", .required = true, .kinds = WITH_VECTORS},
};

enum fum_result fum_model_add_component(fum_model *model, const struct fum_model_component *like,
                                        struct fum_error *err) {
    struct fum_model_component *component = &model->components[model->num_components++];
    *component = *like;
    bool shared = like->loader != NULL;
    if (!like->where)
        component->where = shared ? fum_arena_printf(model->arena, "%s: %s", like->file, like->name)
                                  : fum_arena_printf(model->arena, "%s/%s/config.json",
                                                     model->info.path, like->name);
    enum fum_result result = FUM_OK;
    if (!component->where) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    if (!shared) result = fum_loader_open(&component->own_loader, like->file, err);
    if (!shared) component->loader = component->own_loader;
    if (result) return result;
    return fum_names_create(&component->names, component->loader, component->name,
                            component->config, err);
}

const struct fum_model_component *fum_model_find_component(const fum_model *model,
                                                           const char *name) {
    for (int i = 0; i < model->num_components; i++)
        if (!strcmp(model->components[i].name, name)) return &model->components[i];
    return NULL;
}

enum fum_result fum_model_set_unusable(fum_model *model, const struct fum_error *why,
                                       struct fum_error *err) {
    model->info.unusable = fum_arena_strdup(model->arena, why->text);
    return model->info.unusable ? FUM_OK
                                : fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
}

void fum_model_count_tensor(struct fum_component_info *info, const struct fum_loader_tensor *t) {
    info->tensors++;
    info->bytes += t->bytes;
    info->parameters += fum_view_count(&t->view);
    if (t->view.dtype == FUM_DTYPE_UNKNOWN) {
        info->unknown++;
    } else if (t->view.blocks) {
        for (int i = 0; i < FUM_BLOCK_TYPES; i++)
            info->blocks[i] += fum_block_types[i] == t->view.blocks;
    } else {
        info->dtypes[t->view.dtype]++;
    }
}
