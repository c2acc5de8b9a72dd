// SPDX-License-Identifier: MIT
// Opens the folder of an autoencoder alone: config.json and its weights. Fumarole's own training
// writes all kinds, diffusers the VQModel and the AutoencoderKL. A VQModel may have a prior beside
// it, the UNet and the scheduler of a model that draws its vectors, in the folder prior/.
#include "base/error.h"
#include "base/json.h"
#include "model/components.h"

#include <string.h>

static enum fum_result parse_vae(fum_model *model, const struct fum_model_component *like,
                                 struct fum_error *err) {
    struct fum_autoencoder *a = fum_arena_alloc(model->arena, 1, sizeof *a);
    if (!a) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    enum fum_result result = fum_autoencoder_parse(a, like->config, like->where, err);
    model->view.autoencoder = a;
    model->info.width = a->width;
    model->info.height = a->height;
    model->info.size_multiple = 1;
    return result;
}

// Takes the size of pictures from the configuration.
static void set_sides(fum_model *model, const struct fum_vae_config *vae, const cJSON *config) {
    enum { DEFAULT_SIDE = 32 };
    double side = fum_json_number(config, "sample_size", DEFAULT_SIDE);
    bool good = side >= 1 && side <= FUM_MAX_SIDE;
    model->info.size_multiple = fum_vae_factor(vae);
    model->info.width = model->info.height = good ? (int)side : DEFAULT_SIDE;
}

enum fum_result fum_model_parse_vqvae(fum_model *model, const struct fum_model_component *like,
                                      struct fum_error *err) {
    struct fum_vq_config *vq = fum_arena_alloc(model->arena, 1, sizeof *vq);
    if (!vq) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    enum fum_result result = fum_vq_config_parse(vq, like->config, like->where, err);
    if (result) return result;
    model->view.vqvae = vq;
    set_sides(model, &vq->vae, like->config);
    return FUM_OK;
}

static enum fum_result parse_kl(fum_model *model, const struct fum_model_component *like,
                                struct fum_error *err) {
    enum fum_result result = fum_vae_config_parse(&model->view.vae, like->config, like->where, err);
    model->view.kl = true;
    if (!result) set_sides(model, &model->view.vae, like->config);
    return result;
}

// The classes of such models.
static const struct autoencoder_class {
    const char *name; // in config.json
    const char *component, *title;
    enum fum_result (*parse)(fum_model *model, const struct fum_model_component *like,
                             struct fum_error *err);
} classes[] = {
    {fum_autoencoder_class, "autoencoder", "variational autoencoder", parse_vae},
    {"VQModel", "vqvae", "VQ-VAE", fum_model_parse_vqvae},
    {"AutoencoderKL", "vae", "autoencoder of latent diffusion", parse_kl},
    {"AutoencoderTiny", "vae", "small autoencoder", parse_kl},
};

static const struct autoencoder_class *find_class(const cJSON *config) {
    const char *name = fum_json_string(config, "_class_name", "");
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (!strcmp(classes[i].name, name)) return &classes[i];
    return NULL;
}

// Opens the weights and the configuration, which becomes the model's.
static enum fum_result add_component(fum_model *model, const struct autoencoder_class *class,
                                     const char *dir, cJSON *config, struct fum_error *err) {
    struct fum_model_component *component = &model->components[model->num_components++];
    *component =
        (struct fum_model_component){.name = class->component,
                                     .class_name = class->name,
                                     .where = fum_path_join(model->arena, dir, "config.json"),
                                     .config = config,
                                     .own_config = config};
    if (!component->where) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    enum fum_result result = class->parse(model, component, err);
    if (!result)
        result = fum_folder_find_weights(model->arena, dir, model->variant, &component->file, err);
    if (!result) result = fum_loader_open(&component->own_loader, component->file, err);
    component->loader = component->own_loader;
    if (result) return result;
    return fum_names_create(&component->names, component->loader, component->name, config, err);
}

// ---- the prior ----

// Adds the UNet of the folder `prior`. Its configuration becomes the component's.
static enum fum_result add_prior_unet(fum_model *model, const char *prior, struct fum_error *err) {
    char *dir = fum_path_join(model->arena, prior, "unet"),
         *path = dir ? fum_path_join(model->arena, dir, "config.json") : NULL;
    const char *weights = NULL;
    cJSON *config = NULL;
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    enum fum_result result =
        fum_folder_find_weights(model->arena, dir, model->variant, &weights, err);
    if (!result) result = fum_json_read(&config, path, err);
    if (result) return result;
    return fum_model_add_component(
        model,
        &(struct fum_model_component){.name = "unet",
                                      .class_name = fum_json_string(config, "_class_name", ""),
                                      .file = weights,
                                      .where = path,
                                      .config = config,
                                      .own_config = config},
        err);
}

static enum fum_result read_prior_scheduler(fum_model *model, const char *prior,
                                            struct fum_error *err) {
    char *dir = fum_path_join(model->arena, prior, "scheduler"),
         *path = dir ? fum_path_join(model->arena, dir, "scheduler_config.json") : NULL;
    cJSON *config = NULL;
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    enum fum_result result = fum_json_read(&config, path, err);
    if (!result) result = fum_sample_config_read(&model->view.schedule, config, err);
    cJSON_Delete(config);
    model->own_scheduler = !result;
    return result;
}

// Opens the prior of a VQModel, if it has one.
static enum fum_result open_prior(fum_model *model, struct fum_error *err) {
    char *prior = fum_path_join(model->arena, model->info.path, "prior");
    if (!prior) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    if (!model->view.vqvae || !fum_path_is_dir(prior)) return FUM_OK;
    model->family = fum_family_match("LDMPipeline", 0, 0);
    enum fum_result result = add_prior_unet(model, prior, err);
    return result ? result : read_prior_scheduler(model, prior, err);
}

// ---- the folder ----

// Reads config.json of a folder, if it has one.
static enum fum_result read_config(fum_model *model, const char *dir, cJSON **config,
                                   struct fum_error *err) {
    enum fum_file_kind kind = FUM_FILE_NONE;
    char *path = fum_path_join(model->arena, dir, "config.json");
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    if (fum_file_look(path, &kind, NULL) || kind == FUM_FILE_NONE) return FUM_OK;
    return fum_json_read(config, path, err);
}

static enum fum_result open_class(fum_model *model, const struct autoencoder_class *class,
                                  const char *dir, cJSON *config, struct fum_error *err) {
    model->info.family = class->title;
    model->info.sampler = "none";
    model->info.steps = 1;
    model->info.guidance = 1;
    model->info.clip_skip = 1;
    enum fum_result result = add_component(model, class, dir, config, err);
    if (result) return result;
    model->view.vae_weights = fum_names_source(model->components[0].names);
    return open_prior(model, err);
}

// True if a UNet lies beside the autoencoder: the folder is a pipeline that lacks its index.
static bool has_unet(const fum_model *model) {
    char *unet = fum_path_join(model->arena, model->info.path, "unet");
    return unet && fum_path_is_dir(unet);
}

// Looks into vae/, too, where a training of latent diffusion's first stage leaves its autoencoder.
enum fum_result fum_model_open_autoencoder(fum_model *model, bool *found, struct fum_error *err) {
    cJSON *config = NULL;
    const char *dir = model->info.path;
    *found = false;
    if (fum_folder_is(dir)) return FUM_OK;
    enum fum_result result = read_config(model, dir, &config, err);
    if (!result && !config && !has_unet(model)) {
        dir = fum_path_join(model->arena, dir, "vae");
        result = dir ? read_config(model, dir, &config, err)
                     : fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    }
    const struct autoencoder_class *class = result || !config ? NULL : find_class(config);
    *found = class != NULL;
    if (class) return open_class(model, class, dir, config, err);
    cJSON_Delete(config);
    return result;
}
