// SPDX-License-Identifier: MIT
// Adds components that are given apart from the model. Files and folders of a UNet, a text encoder
// or a VAE have a configuration of their own, or one that their tensors show.
#include "model/parts.h"

#include "base/error.h"
#include "base/macros.h"
#include "model/checkpoint.h"
#include "model/embedded.h"
#include "model/find.h"

#include <stddef.h>
#include <string.h>

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a component");
}

// A component that may be given, by its field of fum_model_params. Text encoders come first, since
// the UNet's configuration depends on them.
struct part {
    size_t field;
    const char *component;
    const char *class_name; // if no configuration says it
};
static const struct part parts[] = {
    {offsetof(struct fum_model_params, clip_l), "text_encoder", "CLIPTextModel"},
    {offsetof(struct fum_model_params, clip_g), "text_encoder_2", "CLIPTextModelWithProjection"},
    {offsetof(struct fum_model_params, diffusion_model), "unet", "UNet2DConditionModel"},
    {offsetof(struct fum_model_params, vae), "vae", "AutoencoderKL"},
    {offsetof(struct fum_model_params, taesd), "vae", "AutoencoderKL"},
};

static const char *given_path(const struct fum_model_params *params, const struct part *part) {
    return *(const char *const *)(const void *)((const char *)params + part->field);
}

bool fum_model_has_parts(const struct fum_model_params *params) {
    for (size_t i = 0; i < FUM_COUNT(parts) && params; i++)
        if (given_path(params, &parts[i])) return true;
    return false;
}

bool fum_model_has_part(const struct fum_model_params *params, const char *component) {
    for (size_t i = 0; i < FUM_COUNT(parts) && params; i++)
        if (!strcmp(parts[i].component, component) && given_path(params, &parts[i])) return true;
    return false;
}

// ---- one component ----

// Where a component lies.
struct source {
    const char *dir;  // with config.json
    const char *file; // of its weights
    cJSON *config;    // NULL: none
    fum_loader *loader;
};

static void close_source(struct source *source) {
    fum_loader_close(&source->loader);
    cJSON_Delete(source->config);
    source->config = NULL;
}

// True if a configuration is one of the component: diffusers and transformers state its class.
static bool config_fits(const cJSON *config, const char *component) {
    const char *class_name = fum_json_string(config, "_class_name", "");
    bool text = !strncmp(component, "text_encoder", 12);
    if (text) return cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(config, "hidden_size"));
    return strstr(class_name, !strcmp(component, "unet") ? "UNet" : "Autoencoder") != NULL;
}

// Drops a configuration that is not one of the component.
static void check_config(struct source *source, const char *component) {
    if (!source->config || config_fits(source->config, component)) return;
    cJSON_Delete(source->config);
    source->config = NULL;
}

// Reads the configuration in the component's folder, if it has one.
static enum fum_result read_config(fum_model *model, struct source *source, const char *component,
                                   struct fum_error *err) {
    const char *path = fum_path_join(model->arena, source->dir, "config.json");
    if (!path) return no_memory(err);
    if (!fum_path_may_exist(path)) return FUM_OK;
    enum fum_result result = fum_json_read(&source->config, path, err);
    if (!result) check_config(source, component);
    return result;
}

// Returns the folder of a file in the arena; NULL when memory is out.
static const char *folder_of(fum_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return fum_arena_strdup(arena, ".");
    return fum_arena_printf(arena, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

// True if a file is called as components' weights in their folders are, beside a config.json.
static bool is_component_file(const char *path) {
    static const char *const stems[] = {"diffusion_pytorch_model.", "pytorch_model", "model."};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < FUM_COUNT(stems); i++)
        if (!strncmp(name, stems[i], strlen(stems[i]))) return true;
    return false;
}

// Finds the weights in the folder of a component. That of a small autoencoder may hold its halves.
static enum fum_result find_weights(fum_model *model, struct source *source, bool vae,
                                    struct fum_error *err) {
    const char *halves = NULL;
    struct fum_error missing = {0};
    enum fum_result result =
        fum_folder_find_weights(model->arena, source->dir, model->variant, &source->file, &missing);
    if (!result) return FUM_OK;
    if (vae && result != FUM_ERR_NOMEM) {
        result = fum_tiny_find(model->arena, source->dir, &halves, err);
        if (result || halves) source->file = halves;
        if (result || halves) return result;
    }
    return fum_error_set(err, missing.code, "%s", missing.text);
}

// Finds the weights and the configuration of a component in a file, its folder, or the folder of a
// whole model.
static enum fum_result find_source(fum_model *model, const char *path, const char *component,
                                   struct source *source, struct fum_error *err) {
    bool folder = fum_path_is_dir(path);
    const char *snapshot = folder ? fum_model_snapshot(model->arena, path) : NULL;
    if (snapshot) path = snapshot;
    source->file = path;
    source->dir = folder ? path : folder_of(model->arena, path);
    const char *inside = folder ? fum_path_join(model->arena, path, component) : NULL;
    if (!source->dir || (folder && !inside)) return no_memory(err);
    if (folder && fum_path_is_dir(inside)) source->dir = inside;
    enum fum_result result = FUM_OK;
    if (folder || is_component_file(path)) result = read_config(model, source, component, err);
    bool vae = !strcmp(component, "vae");
    if (!result && folder) result = find_weights(model, source, vae, err);
    if (!result)
        result = vae ? fum_tiny_open(&source->loader, model->arena, source->file, err)
                     : fum_loader_open(&source->loader, source->file, err);
    if (result || source->config) return result;
    result = fum_embedded_config(&source->config, source->loader, component, err);
    if (!result) check_config(source, component);
    return result;
}

// Puts a component in the place of the model's own, which is kept so that its tensors are known.
static enum fum_result replace_component(fum_model *model, const struct part *part,
                                         struct source *source, struct fum_error *err) {
    int at = 0;
    while (at < model->num_components && strcmp(model->components[at].name, part->component)) at++;
    if (at == model->num_components && at == FUM_MODEL_MAX_COMPONENTS)
        return fum_error_set(err, FUM_ERR_ARG, "too many components");
    if (at < model->num_components)
        model->replaced[model->num_replaced++] = model->components[at];
    else
        model->num_components++;
    struct fum_model_component *component = &model->components[at];
    const char *class_name = fum_json_string(source->config, "_class_name", part->class_name);
    *component = (struct fum_model_component){
        .name = part->component,
        .class_name = fum_arena_strdup(model->arena, class_name),
        .file = fum_arena_strdup(model->arena, source->file),
        .where = fum_arena_printf(model->arena, "%s: %s", source->file, part->component),
        .config = source->config,
        .own_config = source->config,
        .own_loader = source->loader,
        .loader = source->loader};
    source->loader = NULL;
    source->config = NULL;
    if (!component->class_name || !component->file || !component->where) return no_memory(err);
    return fum_names_create(&component->names, component->loader, component->name,
                            component->config, err);
}

// ---- configurations that tensors show ----

// Returns the scale of the latents that the model's UNet reads: its VAE's, else its family's.
static double latent_scale(const fum_model *model) {
    const struct fum_model_component *vae = fum_model_find_component(model, "vae");
    double family = model->family && model->family->file.vae_scale > 0
                        ? model->family->file.vae_scale
                        : fum_family_find("sd1")->file.vae_scale;
    return vae ? fum_json_number(vae->config, "scaling_factor", family) : family;
}

static enum fum_result derive_vae(fum_model *model, struct source *source, struct fum_error *err) {
    struct fum_family family = *fum_family_find("sd1");
    bool openclip;
    const char *prefix = fum_names_find_prefix(source->loader, "vae", &openclip);
    const struct fum_tiny_style *tiny = fum_tiny_find_style(source->loader);
    if (tiny) {
        source->config = fum_checkpoint_tiny_config(source->loader, tiny, err);
        return source->config ? FUM_OK : FUM_ERR_FORMAT;
    }
    family.file.vae_scale = latent_scale(model);
    source->config = fum_checkpoint_vae_config(source->loader, prefix, &family, 0, err);
    return source->config ? FUM_OK : FUM_ERR_FORMAT;
}

// Reads the UNet. A model without a path has its family and its scheduler.
static enum fum_result read_unet(fum_model *model, struct source *source, struct fum_error *err) {
    const struct fum_model_component *text = fum_model_find_component(model, "text_encoder_2");
    double width = text ? fum_json_number(text->config, "projection_dim", 0) : 0;
    int pooled = width > 0 && width < 1 << 20 ? (int)width : 0;
    struct fum_checkpoint c = {0};
    cJSON *config = source->config;
    source->config = NULL;
    enum fum_result result = fum_checkpoint_detect_unet(&c, source->loader, config, pooled, err);
    bool first = !model->family && !model->folder;
    if (!result && first) model->family = c.family;
    if (!result && first) result = fum_model_take_scheduler(model, &c, err);
    source->config = c.unet;
    c.unet = NULL;
    fum_checkpoint_free(&c);
    return result;
}

static enum fum_result derive_text(const char *component, struct source *source,
                                   struct fum_error *err) {
    struct fum_family_text text = {.projected = !strcmp(component, "text_encoder_2")};
    text.prefix = fum_names_find_prefix(source->loader, component, &text.openclip);
    source->config = fum_checkpoint_text_config(source->loader, &text, err);
    return source->config ? FUM_OK : FUM_ERR_FORMAT;
}

// Derives the configuration of a component without one.
static enum fum_result derive_config(fum_model *model, const struct part *part,
                                     struct source *source, struct fum_error *err) {
    bool openclip, unet = !strcmp(part->component, "unet");
    if (source->config && !unet) return FUM_OK;
    if (!fum_names_find_prefix(source->loader, part->component, &openclip))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: holds no %s under names that are known (of diffusers, or of the "
                             "original layout)",
                             source->file, part->component);
    if (unet) return read_unet(model, source, err);
    if (!strcmp(part->component, "vae")) return derive_vae(model, source, err);
    return derive_text(part->component, source, err);
}

// ---- tokenizers ----

// Loads the tokenizer of a text encoder if the model has none. It is the one that the file carries,
// or that of the whole model whose folder the encoder lies in, else CLIP's. OpenCLIP's encoders pad
// with "!".
static enum fum_result load_tokenizer(fum_model *model, int which, const struct source *source,
                                      struct fum_error *err) {
    const struct fum_model_role *role = &fum_model_roles[which];
    const struct fum_model_component *component = fum_model_find_component(model, role->name);
    if (model->tokenizers[which]) return FUM_OK;
    enum fum_result result =
        fum_embedded_tokenizer(&model->tokenizers[which], component->loader, role->tokenizer, err);
    if (result || model->tokenizers[which]) return result;
    const char *whole = folder_of(model->arena, source->dir),
               *dir = whole ? fum_path_join(model->arena, whole, role->tokenizer) : NULL;
    if (!dir) return no_memory(err);
    if (fum_path_is_dir(dir)) return fum_tokenizer_load_dir(&model->tokenizers[which], dir, err);
    bool openclip = !strcmp(fum_json_string(component->config, "hidden_act", ""), "gelu");
    return fum_tokenizer_load_clip(&model->tokenizers[which], NULL,
                                   &(struct fum_tokenizer_params){.pad = openclip ? "!" : NULL},
                                   err);
}

// ---- all of them ----

static enum fum_result add_part(fum_model *model, const struct part *part, const char *path,
                                struct fum_error *err) {
    struct source source = {0};
    enum fum_result result = find_source(model, path, part->component, &source, err);
    if (!result) result = derive_config(model, part, &source, err);
    if (!result) result = replace_component(model, part, &source, err);
    for (int i = 0; i < FUM_MODEL_MAX_TEXT && !result; i++)
        if (!strcmp(fum_model_roles[i].name, part->component))
            result = load_tokenizer(model, i, &source, err);
    close_source(&source);
    return result;
}

enum fum_result fum_model_add_parts(fum_model *model, const struct fum_model_params *params,
                                    struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < FUM_COUNT(parts) && !result; i++) {
        const char *path = given_path(params, &parts[i]);
        if (path) result = add_part(model, &parts[i], path, err);
    }
    return result;
}

enum fum_result fum_model_check_parts(const struct fum_model_params *params,
                                      struct fum_error *err) {
    bool text =
        fum_model_has_part(params, "text_encoder") || fum_model_has_part(params, "text_encoder_2");
    if (text && fum_model_has_part(params, "vae")) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "%s: a UNet alone; it needs a VAE and a text encoder beside it (--vae, "
                         "--clip_l, --clip_g), or a whole model (-m)",
                         params->diffusion_model);
}
