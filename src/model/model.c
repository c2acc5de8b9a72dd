// Opening checkpoints: a diffusers folder or a single file becomes one description that the pipeline reads.
#include "model/model.h"

#include "base/error.h"
#include "base/log.h"
#include "io/folder.h"
#include "model/family.h"
#include "model/model_parts.h"

#include <stdlib.h>
#include <string.h>

enum fum_result fum_model_add_part(fum_model *model, const char *name, const char *class_name, const cJSON *config,
                                   const char *file, const fum_loader *shared, struct fum_error *err) {
    struct fum_model_file *part = &model->parts[model->num_parts];
    *part = (struct fum_model_file){.name = name, .class_name = class_name, .file = file, .config = config};
    model->num_parts++;
    enum fum_result result = FUM_OK;
    if (!shared) result = fum_loader_open(&part->own_loader, file, err);
    part->loader = shared ? shared : part->own_loader;
    if (!result) result = fum_names_create(&part->names, part->loader, name, config, err);
    return result;
}

static const struct fum_model_file *find_part(const fum_model *model, const char *name) {
    for (int i = 0; i < model->num_parts; i++)
        if (!strcmp(model->parts[i].name, name)) return &model->parts[i];
    return NULL;
}

// ---- folders ----

static const char *const weight_parts[] = {"text_encoder", "text_encoder_2", "unet", "vae"};
static const char *const tokenizer_parts[] = {"tokenizer", "tokenizer_2"};

static enum fum_result open_folder(fum_model *model, const char *path, struct fum_error *err) {
    enum fum_result result = fum_folder_open(&model->folder, path, NULL, err);
    if (result) return result;
    for (int i = 0; i < 4 && !result; i++) {
        const struct fum_folder_part *part = fum_folder_part(model->folder, weight_parts[i]);
        if (!part && i >= 2) part = fum_folder_require(model->folder, weight_parts[i], err);
        if (!part && i >= 2) return FUM_ERR_FORMAT;
        if (part)
            result = fum_model_add_part(model, part->name, part->class_name, part->config, part->weights, NULL, err);
    }
    for (int i = 0; i < 2 && !result; i++) {
        const struct fum_folder_part *part = fum_folder_part(model->folder, tokenizer_parts[i]);
        if (part) result = fum_tokenizer_load_dir(&model->tokenizers[i], part->dir, err);
    }
    const struct fum_folder_part *scheduler = fum_folder_part(model->folder, "scheduler");
    if (!result && scheduler && scheduler->config)
        result = fum_sample_config_read(&model->view.schedule, scheduler->config, err);
    return result;
}

// ---- what both kinds share ----

static enum fum_result parse_parts(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < 2 && !result; i++) {
        const struct fum_model_file *part = find_part(model, weight_parts[i]);
        if (!part) continue;
        struct fum_model_text *text = &v->text[v->num_text++];
        text->part = part->name;
        text->tokenizer = model->tokenizers[i];
        text->weights = fum_names_source(part->names);
        if (!text->tokenizer)
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: has a %s but no %s", model->info.path, part->name,
                                 tokenizer_parts[i]);
        result = fum_clip_config_parse(&text->config, part->config, part->name, err);
        text->with_projection = part->class_name && strstr(part->class_name, "Projection");
        if (!text->with_projection) text->config.projection = 0;
    }
    if (!result && !v->num_text)
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: has no text encoder, so it cannot follow a prompt",
                               model->info.path);
    const struct fum_model_file *unet = find_part(model, "unet"), *vae = find_part(model, "vae");
    if (!result) result = fum_unet_config_parse(&v->unet, unet->config, "unet", err);
    if (!result) result = fum_vae_config_parse(&v->vae, vae->config, "vae", err);
    if (result) return result;
    v->unet_weights = fum_names_source(unet->names);
    v->vae_weights = fum_names_source(vae->names);
    if (v->unet.in_channels != v->vae.latent_channels)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: the UNet reads %d channels, the VAE has %d: models that also take a picture (inpainting, "
                             "editing) cannot draw from a prompt alone",
                             model->info.path, v->unet.in_channels, v->vae.latent_channels);
    return FUM_OK;
}

static void apply_family(fum_model *model, const struct fum_family *family) {
    struct fum_model_traits *t = &model->view.traits;
    bool folder = model->folder != NULL;
    t->skip_norm = family->skip_norm;
    t->skip_negative = !folder; // as A1111 does; diffusers skips layers of the prompt alone
    t->skip_base = folder ? family->folder_skip : 0;
    t->aesthetic = family->aesthetic;
    t->negative_aesthetic = family->negative_aesthetic;
    t->vae_overflows_f16 = family->vae_overflows_f16;
    t->ays_sdxl = family->ays_sdxl;
    // diffusers' XL pipelines zero the empty negative prompt unless the folder says otherwise.
    t->zero_negative =
        family->text_time &&
        (!folder || fum_json_bool(fum_folder_index(model->folder), "force_zeros_for_empty_prompt", true));
    model->info.family = family->title;
    model->info.clip_skip = folder ? 1 : family->file_clip_skip;
    model->info.steps = family->steps;
    model->info.guidance = family->guidance;
    int factor = fum_vae_factor(&model->view.vae);
    int size = model->view.unet.sample_size > 0 ? model->view.unet.sample_size * factor : family->size;
    model->info.width = model->info.height = size;
    model->info.size_multiple = factor;
    model->info.sampler = folder ? NULL : family->sampler; // a folder's scheduler says it
}

// fumarole.json's "defaults" and texts, where a folder has it.
static void apply_settings(fum_model *model, const cJSON *settings) {
    struct fum_model_info *info = &model->info;
    const cJSON *d = cJSON_GetObjectItemCaseSensitive(settings, "defaults");
    info->name = fum_json_string(settings, "name", info->name);
    info->description = fum_json_string(settings, "description", "");
    info->license = fum_json_string(settings, "license", "");
    info->origin = fum_json_string(settings, "origin", "");
    info->width = (int)fum_json_number(d, "width", info->width);
    info->height = (int)fum_json_number(d, "height", info->height);
    info->steps = (int)fum_json_number(d, "steps", info->steps);
    info->guidance = (float)fum_json_number(d, "guidance", (double)info->guidance);
    info->clip_skip = (int)fum_json_number(d, "clip_skip", info->clip_skip);
    info->sampler = fum_json_string(d, "sampler", info->sampler);
}

static enum fum_result read_prompts(fum_model *model, const cJSON *settings, struct fum_error *err) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(settings, "prompts"), *item;
    int count = cJSON_GetArraySize(list);
    if (!count) return FUM_OK;
    model->prompts = fum_arena_alloc(model->arena, (size_t)count, sizeof *model->prompts);
    if (!model->prompts) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the model's prompts");
    cJSON_ArrayForEach(item, list) {
        if (cJSON_IsString(item)) model->prompts[model->info.num_prompts++] = item->valuestring;
    }
    return FUM_OK;
}

static enum fum_result set_prediction(fum_model *model, const char *wanted, struct fum_error *err) {
    static const char *const names[] = {
        [FUM_PREDICT_UNSET] = "epsilon", [FUM_PREDICT_EPSILON] = "epsilon", [FUM_PREDICT_V] = "v_prediction",
        [FUM_PREDICT_SAMPLE] = "sample"};
    struct fum_sample_config *c = &model->view.schedule;
    for (int i = FUM_PREDICT_EPSILON; wanted && i <= FUM_PREDICT_SAMPLE; i++)
        if (!strcmp(wanted, names[i])) c->prediction_type = (enum fum_prediction)i, wanted = NULL;
    if (wanted)
        return fum_error_set(err, FUM_ERR_ARG, "unknown prediction \"%s\": use epsilon, v_prediction or sample",
                             wanted);
    model->info.prediction = names[c->prediction_type];
    return FUM_OK;
}

// The name of the sampler in force, by making the program that it would run; says early what the scheduler's settings
// ask for and this build cannot do.
static enum fum_result set_sampler(fum_model *model, struct fum_error *err) {
    struct fum_sample_program *program = NULL;
    struct fum_sample_params params = {
        .sampler = model->info.sampler, .steps = model->info.steps, .config = model->view.schedule};
    enum fum_result result = fum_sample_create(&program, &params, err);
    if (!result) model->info.sampler = program->sampler; // a constant
    fum_sample_destroy(&program);
    return result ? fum_error_prefix(err, "%s: scheduler", model->info.path) : FUM_OK;
}

static enum fum_result set_info(fum_model *model, const struct fum_model_params *params, struct fum_error *err) {
    const struct fum_family *family = model->family;
    const char *class_name = model->folder ? fum_folder_class(model->folder) : "";
    if (!family) family = fum_family_match(class_name, model->view.unet.context_channels, model->view.unet.text_time);
    if (!family)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: a %s with %d context channels is none of the families that fumarole knows",
                             model->info.path, class_name, model->view.unet.context_channels);
    apply_family(model, family);
    enum fum_result result = set_prediction(model, params ? params->prediction : NULL, err);
    const cJSON *settings = model->folder ? fum_folder_settings(model->folder) : NULL;
    apply_settings(model, settings);
    if (!result) result = read_prompts(model, settings, err);
    return result ? result : set_sampler(model, err);
}

// A path that exists, or the name of a shipped model.
static const char *resolve(fum_model *model, const struct fum_model_params *params) {
    const char *path = params && params->path ? params->path : "emoji";
    if (fum_path_may_exist(path) || strchr(path, '/'))
        return fum_arena_strdup(model->arena, path);
    const char *dirs[] = {params ? params->models_dir : NULL, getenv("FUMAROLE_MODELS"), FUM_MODELS_DIR};
    for (int i = 0; i < 3; i++) {
        if (!dirs[i] || !*dirs[i]) continue;
        char *candidate = fum_path_join(model->arena, dirs[i], path);
        if (candidate && fum_path_is_dir(candidate)) return candidate;
    }
    return fum_arena_strdup(model->arena, path);
}

static const char *last_part(fum_arena *arena, const char *path) {
    char *copy = fum_arena_strdup(arena, path);
    if (!copy) return NULL;
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = 0;
    char *slash = strrchr(copy, '/');
    return slash && slash[1] ? slash + 1 : copy;
}

enum fum_result fum_model_open(fum_model **out, const struct fum_model_params *params, struct fum_error *err) {
    enum fum_result result = FUM_ERR_NOMEM;
    *out = NULL;
    fum_model *model = fum_calloc(1, sizeof *model);
    if (model) model->arena = fum_arena_create();
    if (!model || !model->arena) goto no_memory;
    if (params && params->log) model->log = *params->log;
    model->view.schedule = fum_sample_config_sd();
    if (!(model->info.path = resolve(model, params))) goto no_memory;
    if (!(model->info.name = last_part(model->arena, model->info.path))) goto no_memory;
    enum fum_file_kind kind;
    if ((result = fum_file_look(model->info.path, &kind, err))) goto error;
    if (kind == FUM_FILE_FOLDER) result = open_folder(model, model->info.path, err);
    else if (kind != FUM_FILE_NONE) result = fum_model_open_file(model, model->info.path, err);
    else
        result = fum_error_set(err, FUM_ERR_IO,
                               "%s: no such model: give a diffusers folder, a .safetensors file or the name of a shipped "
                               "model (emoji)",
                               model->info.path);
    if (!result) result = parse_parts(model, err);
    if (!result) result = set_info(model, params, err);
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

void fum_model_destroy(fum_model **model) {
    if (!model || !*model) return;
    fum_model *m = *model;
    for (int i = 0; i < m->num_parts; i++) {
        fum_names_destroy(&m->parts[i].names);
        fum_loader_close(&m->parts[i].own_loader);
        cJSON_Delete(m->parts[i].own_config);
    }
    fum_loader_close(&m->file);
    for (int i = 0; i < 2; i++) fum_tokenizer_destroy(&m->tokenizers[i]);
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

bool fum_model_get_part(const fum_model *model, int index, struct fum_model_part *out) {
    if (index < 0 || index >= model->num_parts) return false;
    const struct fum_model_file *part = &model->parts[index];
    *out = (struct fum_model_part){.name = part->name, .class_name = part->class_name, .file = part->file};
    for (size_t i = 0; i < fum_loader_count(part->loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(part->loader, i);
        if (!fum_names_owns(part->names, i)) continue;
        out->tensors++;
        out->bytes += t->bytes;
        out->parameters += t->bytes / fum_dtype_size(t->view.dtype);
        out->dtypes[t->view.dtype]++;
    }
    return true;
}
