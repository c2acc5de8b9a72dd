// SPDX-License-Identifier: MIT
// Opens checkpoints: makes of a diffusers folder or a single file one description that the pipeline
// reads.
#include "model/model.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "io/folder.h"
#include "model/embeddings.h"
#include "model/family.h"
#include "model/find.h"
#include "model/fit.h"
#include "model/components.h"
#include "model/embedded.h"
#include "model/parts.h"
#include "model/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Returns the tokens of a prompt: the tokenizer's length, or as many as the encoder reads where it
// has none or a longer one.
static int prompt_tokens(const struct fum_model_text *text) {
    int length = fum_tokenizer_max_length(text->tokenizer);
    return length && length < text->config.positions ? length : text->config.positions;
}

static enum fum_result parse_text(fum_model *model, int which, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    const struct fum_model_role *role = &fum_model_roles[which];
    const struct fum_model_component *component = fum_model_find_component(model, role->name);
    if (!component) return FUM_OK;
    struct fum_model_text *text = &v->text[v->num_text++];
    text->component = component->name;
    text->tokenizer = model->tokenizers[which];
    text->weights = fum_names_source(component->names);
    if (!text->tokenizer)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: has a %s but no %s", model->info.path,
                             component->name, role->tokenizer);
    // The class decides, not config.json's "architectures": diffusers loads the class that
    // model_index.json names.
    text->with_projection = component->class_name && strstr(component->class_name, "Projection");
    enum fum_result result = fum_clip_config_parse(&text->config, component->config,
                                                   text->with_projection, component->where, err);
    if (!result) text->tokens = prompt_tokens(text);
    return result;
}

// Finds pooled text where the UNet needs it and no class says where it comes from: the last encoder
// that holds a projection.
static enum fum_result find_projection(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    struct fum_view weight;
    if (!v->unet.text_time || fum_model_pooled(v)) return FUM_OK;
    for (int i = v->num_text - 1; i >= 0; i--) {
        const struct fum_model_component *component =
            fum_model_find_component(model, v->text[i].component);
        if (!fum_names_find(component->names, "text_projection.weight", &weight, NULL)) continue;
        v->text[i].with_projection = true;
        return fum_clip_config_parse(&v->text[i].config, component->config, true, component->where,
                                     err);
    }
    return FUM_OK;
}

// Describes a picture as latents that need no decoding.
static struct fum_vae_config picture_config(const struct fum_unet_config *unet) {
    return (struct fum_vae_config){.kind = &fum_vae_kl,
                                   .in_channels = unet->in_channels,
                                   .out_channels = unet->in_channels,
                                   .latent_channels = unet->in_channels,
                                   .num_blocks = 1,
                                   .scale = 1};
}

// Reads the UNet of a model without text.
static enum fum_result parse_unet2d(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    const struct fum_model_component *unet = fum_model_find_component(model, "unet");
    if (strcmp(unet->class_name, "UNet2DModel"))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: the UNet is a %s, where a model without text needs a UNet2DModel",
                             model->info.path, fum_text_show(unet->class_name).text);
    v->unet_weights = fum_names_source(unet->names);
    return fum_unet2d_config_parse(&v->unet, unet->config, unet->where, err);
}

// Reads the only component of a model of pictures.
static enum fum_result parse_pixels(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    enum fum_result result = parse_unet2d(model, err);
    if (result) return result;
    v->pixels = true;
    v->vae = picture_config(&v->unet);
    return fum_model_check_pixels(model, err);
}

// Reads the components of a model whose UNet draws the vectors of a VQModel.
static enum fum_result parse_vectors(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    const struct fum_model_component *vqvae = fum_model_find_component(model, "vqvae");
    if (strcmp(vqvae->class_name, "VQModel"))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: the vqvae is a %s, not a VQModel",
                             model->info.path, fum_text_show(vqvae->class_name).text);
    enum fum_result result = parse_unet2d(model, err);
    if (!result) result = fum_model_parse_vqvae(model, vqvae, err);
    if (result) return result;
    v->vae = v->vqvae->vae;
    v->vae.latent_channels = v->vae.code_channels;
    v->vae_weights = fum_names_source(vqvae->names);
    return fum_model_check_vectors(model, err);
}

static enum fum_family_kind find_kind(const fum_model *model) {
    if (model->family) return model->family->kind;
    return model->folder ? fum_family_kind_of(fum_folder_class(model->folder)) : FUM_FAMILY_TEXT;
}

static enum fum_result parse_components(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    enum fum_result result = FUM_OK;
    enum fum_family_kind kind = find_kind(model);
    if (kind == FUM_FAMILY_PIXELS) return parse_pixels(model, err);
    if (kind == FUM_FAMILY_VECTORS) return parse_vectors(model, err);
    for (int i = 0; i < FUM_MODEL_MAX_TEXT && !result; i++) result = parse_text(model, i, err);
    if (!result && !v->num_text)
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                               "%s: has no text encoder, so it cannot follow a prompt",
                               model->info.path);
    const struct fum_model_component *unet = fum_model_find_component(model, "unet"),
                                     *vae = fum_model_find_component(model, "vae");
    if (!result && (!unet || !vae))
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: holds no %s; give one with --%s",
                               model->info.path, unet ? "VAE" : "UNet",
                               unet ? "vae" : "diffusion-model");
    if (!result) result = fum_unet_config_parse(&v->unet, unet->config, unet->where, err);
    if (!result) result = fum_vae_config_parse(&v->vae, vae->config, vae->where, err);
    if (!result) result = find_projection(model, err);
    if (result) return result;
    v->unet_weights = fum_names_source(unet->names);
    v->vae_weights = fum_names_source(vae->names);
    result = fum_model_read_low_res(model, err);
    return result ? result : fum_model_check_fit(model, err);
}

// Returns `latent` latent pixels of the training pictures in pixels; if 0, the family's size.
static int default_side(const struct fum_model_view *view, int latent, int fallback) {
    return latent > 0 ? latent * fum_vae_factor(&view->vae) : fallback;
}

// Returns what width and height must be multiples of. A UNet that halves odd sizes downwards cannot
// double them back.
static int size_multiple(const struct fum_model_view *view) {
    const struct fum_unet_config *unet = &view->unet;
    bool rounds_down = unet->downsample_pad == 0;
    for (int i = 0; i < unet->num_blocks; i++)
        rounds_down = rounds_down || unet->down[i].resnet_resample;
    int factor = fum_vae_factor(&view->vae);
    bool whole_halves = unet->k_levels || (!view->num_text && rounds_down);
    return whole_halves ? factor << (unet->num_blocks - 1) : factor;
}

// True if the UNet draws pictures in 0..1. `fallback`: what the class of the pipeline says, unless
// the scheduler's file has a range. Trained score models are in -1..1 and say so.
static bool draws_unit_pixels(const fum_model *model, bool fallback) {
    const struct fum_folder_component *scheduler =
        model->folder ? fum_folder_component(model->folder, "scheduler") : NULL;
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(scheduler ? scheduler->config : NULL,
                                                          FUM_PIXEL_RANGE_KEY),
                *low = cJSON_GetArrayItem(range, 0);
    return cJSON_IsNumber(low) ? low->valuedouble >= 0 : fallback;
}

static void apply_family(fum_model *model, const struct fum_family *family, const cJSON *index) {
    struct fum_model_traits *t = &model->view.traits;
    bool folder = model->folder || model->of_folder;
    *t = family->traits;
    t->unit_pixels = draws_unit_pixels(model, t->unit_pixels);
    if (t->vae_scale > 0) model->view.vae.scale = t->vae_scale;
    t->vae_overflows_f16 = t->vae_overflows_f16 && !model->view.vae.kind->fits_f16;
    t->skip_negative = !folder; // as A1111 does; diffusers skips layers of the prompt alone
    t->skip_base = folder ? family->folder_skip : 0;
    // diffusers' XL pipelines zero the empty negative prompt unless the folder says otherwise.
    t->zero_negative =
        t->zero_negative && fum_json_bool(index, "force_zeros_for_empty_prompt", true);
    model->info.family = family->title;
    model->info.clip_skip = folder ? 1 : family->file_clip_skip;
    model->info.steps = family->steps;
    model->info.guidance = family->guidance;
    if (model->view.unet.time_cond_channels) { // as LatentConsistencyModelPipeline has them
        model->info.steps = 4;
        model->info.guidance = 8.5f;
    }
    model->info.width = default_side(&model->view, model->view.unet.sample_width, family->size);
    model->info.height = default_side(&model->view, model->view.unet.sample_height, family->size);
    model->info.size_multiple = size_multiple(&model->view);
    model->info.takes_prompt = model->view.num_text > 0;
    int trained = model->view.schedule.num_train_timesteps;
    bool without_text = family->kind != FUM_FAMILY_TEXT;
    if (fum_sample_config_continuous(&model->view.schedule) && trained) model->info.steps = trained;
    if (without_text && trained && model->info.steps > trained) model->info.steps = trained;
}

// Repairs a scheduler's settings as the family's diffusers pipeline does when it loads them: files
// of 2022 have values that draw worse pictures.
static void repair_schedule(fum_model *model, const struct fum_family *family) {
    struct fum_sample_config *c = &model->view.schedule;
    if (family->latent && fum_sample_config_clips(c))
        fum_log(&model->log, FUM_LOG_INFO,
                "%s: the scheduler's clip_sample is taken as false: latents are not clipped",
                model->info.path);
    if (family->latent && c->thresholding == FUM_SWITCH_ON)
        fum_log(&model->log, FUM_LOG_WARN,
                "%s: the scheduler's thresholding is taken as false: latents are not clipped",
                model->info.path);
    if (family->latent) c->clip_sample = c->thresholding = FUM_SWITCH_OFF;
    c->preconditioned = family->traits.preconditioned;
    if (!family->steps_offset || c->steps_offset == family->steps_offset) return;
    fum_log(&model->log, FUM_LOG_INFO, "%s: the scheduler's steps_offset is taken as %d",
            model->info.path, family->steps_offset);
    c->steps_offset = family->steps_offset;
}

// Chooses the default sampler: fumarole.json's, else what stands for the scheduler's class, else
// the family's. Nothing is set up yet: a named sampler works whatever the model's own scheduler is.
static enum fum_result set_sampler(fum_model *model, const struct fum_family *family,
                                   struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    const cJSON *settings = model->folder ? fum_folder_settings(model->folder) : NULL;
    model->info.sampler = NULL;
    enum fum_result result = fum_model_read_settings(model, settings, err);
    const char *own = fum_sample_config_sampler(&v->schedule), *setting = model->info.sampler;
    bool use_own = model->folder != NULL || model->own_scheduler;
    v->sampler = setting;
    if (!setting && !(use_own && own)) v->sampler = family->sampler;
    model->info.sampler = v->sampler ? v->sampler : own;
    model->info.unknown_scheduler = !setting && use_own && !own ? v->schedule.class_name : NULL;
    return result;
}

static enum fum_result set_prediction(fum_model *model, const char *wanted, struct fum_error *err) {
    struct fum_sample_config *c = &model->view.schedule;
    enum fum_result result =
        wanted ? fum_prediction_parse(&c->prediction_type, wanted, err) : FUM_OK;
    const char *word = fum_prediction_word(c->prediction_type);
    model->info.prediction = word ? word : fum_prediction_word(FUM_PREDICT_EPSILON);
    return result;
}

// Reports an upscaler whose UNet does not read the picture that is enlarged.
static enum fum_result check_enlarged(const fum_model *model, const struct fum_family *family,
                                      struct fum_error *err) {
    const struct fum_model_view *v = &model->view;
    bool latents = family->traits.doubles;
    int beside = latents ? v->vae.latent_channels : v->vae.in_channels,
        needed = v->vae.latent_channels + beside;
    if (!(latents || family->traits.enlarges) || v->unet.in_channels == needed) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: the UNet of an upscaler reads latents and %s, %d channels; this one "
                         "reads %d",
                         model->info.path, latents ? "those of a picture" : "a picture", needed,
                         v->unet.in_channels);
}

// Finds the family and sets what it says. `index`: model_index.json of the folder, also of one that
// became a file; NULL: none.
static enum fum_result set_family(fum_model *model, const cJSON *index,
                                  const struct fum_family **found, struct fum_error *err) {
    const char *class_name = fum_json_string(index, "_class_name", "");
    const struct fum_unet_config *unet = &model->view.unet;
    int time_ids = fum_unet_time_ids(unet, fum_model_pooled(&model->view));
    const struct fum_family *family =
        fum_family_match(class_name, unet->context_channels, time_ids);
    if (!model->folder && model->family && !(model->of_folder && family)) family = model->family;
    if (!family)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: model_index.json says %s, but the UNet %s pooled text and sizes",
                             model->info.path, class_name, time_ids ? "reads" : "does not read");
    enum fum_result result = check_enlarged(model, family, err);
    if (!result) apply_family(model, family, index);
    *found = family;
    return result;
}

static enum fum_result set_info(fum_model *model, const struct fum_model_params *params,
                                struct fum_error *err) {
    // The file of the UNet, which may be given apart, says what the folder was.
    const struct fum_model_component *unet = fum_model_find_component(model, "unet");
    const fum_loader *file = model->file || !unet ? model->file : unet->loader;
    cJSON *own = model->of_folder && file ? fum_embedded_index(file) : NULL;
    const cJSON *index = model->folder ? fum_folder_index(model->folder) : own;
    const struct fum_family *family = NULL;
    enum fum_result result = set_family(model, index, &family, err);
    cJSON_Delete(own);
    if (result) return result;
    result = set_prediction(model, params ? params->prediction : NULL, err);
    repair_schedule(model, family);
    return result ? result : set_sampler(model, family, err);
}

static enum fum_result describe_model(fum_model *model, const struct fum_model_params *params,
                                      struct fum_error *err) {
    struct fum_error why = {0};
    enum fum_result result = parse_components(model, err);
    if (!result && params && params->embeddings_dir)
        result = fum_model_add_embeddings(model, params->embeddings_dir, err);
    if (!result && fum_model_check_usable(model, &why))
        result = fum_model_set_unusable(model, &why, err);
    return result ? result : set_info(model, params, err);
}

// Finds the model and opens its file or folder. *found: it is an autoencoder alone.
static enum fum_result open_source(fum_model *model, const struct fum_model_params *params,
                                   bool *found, struct fum_error *err) {
    enum fum_file_kind kind;
    bool apart = params && !params->path && params->diffusion_model;
    enum fum_result result = FUM_OK;
    if (apart)
        model->info.path = fum_arena_strdup(model->arena, params->diffusion_model);
    else
        result = fum_model_find(&model->info.path, model->arena, params, err);
    if (result) return result;
    if (model->info.path) model->info.name = fum_model_path_name(model->arena, model->info.path);
    if (!model->info.name) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    if (apart) return fum_model_check_parts(params, err);
    result = fum_file_look(model->info.path, &kind, err);
    if (result) return result;
    if (kind != FUM_FILE_FOLDER) return fum_model_open_file(model, err);
    result = fum_model_open_autoencoder(model, found, err);
    return result || *found ? result : fum_model_open_folder(model, err);
}

enum fum_result fum_model_open(fum_model **out, const struct fum_model_params *params,
                               struct fum_error *err) {
    enum fum_result result = FUM_ERR_NOMEM;
    bool found = false;
    *out = NULL;
    fum_model *model = fum_calloc(1, sizeof *model);
    if (model) model->arena = fum_arena_create();
    if (!model || !model->arena) goto no_memory;
    if (params && params->log) model->log = *params->log;
    model->view.schedule = fum_sample_config_sd();
    model->info.description = model->info.license = model->info.origin = "";
    model->info.family = model->info.prediction = model->info.sampler = "";
    model->variant = params ? params->weights_variant : NULL;
    model->partial = fum_model_has_parts(params);
    if ((result = open_source(model, params, &found, err))) goto error;
    if (!result && model->partial && !found && !model->info.unusable)
        result = fum_model_add_parts(model, params, err);
    bool alone = found && !model->family; // an autoencoder without a prior
    if (!result && !alone && !model->info.unusable) result = describe_model(model, params, err);
    if (result) goto error;
    *out = model;
    return FUM_OK;
no_memory:
    fum_error_set(err, FUM_ERR_NOMEM, "no memory to open a model");
    result = FUM_ERR_NOMEM;
error:
    fum_model_destroy(&model);
    return result;
}

static void close_component(struct fum_model_component *component) {
    fum_names_destroy(&component->names);
    fum_loader_close(&component->own_loader);
    cJSON_Delete(component->own_config);
}

void fum_model_destroy(fum_model **model) {
    if (!model || !*model) return;
    fum_model *m = *model;
    for (int i = 0; i < m->num_components; i++) close_component(&m->components[i]);
    for (int i = 0; i < m->num_replaced; i++) close_component(&m->replaced[i]);
    fum_loader_close(&m->file);
    fum_embeddings_destroy(&m->embeddings);
    for (int i = 0; i < FUM_MODEL_MAX_TEXT; i++) fum_tokenizer_destroy(&m->tokenizers[i]);
    fum_folder_close(&m->folder);
    fum_arena_destroy(&m->arena);
    fum_free(m);
    *model = NULL;
}

const struct fum_model_info *fum_model_get_info(const fum_model *model) {
    return &model->info;
}

const struct fum_model_view *fum_model_get_view(const fum_model *model) {
    return &model->view;
}

const char *fum_model_prompt(const fum_model *model, int index) {
    return index >= 0 && index < model->info.num_prompts ? model->prompts[index] : NULL;
}

bool fum_model_get_component(const fum_model *model, int index, struct fum_component_info *out) {
    if (index < 0 || index >= model->num_components) return false;
    const struct fum_model_component *component = &model->components[index];
    *out = (struct fum_component_info){
        .name = component->name, .class_name = component->class_name, .file = component->file};
    for (size_t i = 0; i < fum_loader_count(component->loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(component->loader, i);
        if (component->names && !fum_names_owns(component->names, i)) continue;
        fum_model_count_tensor(out, t);
    }
    return true;
}
