// SPDX-License-Identifier: MIT
#include "model/checkpoint.h"

#include "base/error.h"
#include "base/macros.h"
#include "model/embedded.h"

#include <stdio.h>
#include <string.h>

#define COSXL_SIGMA_MAX "edm_vpred.sigma_max"

enum { MAX_LATENT_CHANNELS = 64, PLAIN_CHANNELS = 4, POOLED_CHANNELS = 1280 };
// PLAIN: of UNets that read latents alone. POOLED: of OpenCLIP bigG

const char *fum_checkpoint_kind(int in_channels) {
    static const struct {
        int channels;
        const char *name;
    } kinds[] = {{PLAIN_CHANNELS, "a text-to-image"},
                 {9, "an inpainting"},       // latents, mask, masked latents
                 {8, "an instruct-pix2pix"}, // latents, latents of the picture to edit
                 {7, "an upscaling"},        // latents, the small picture
                 {5, "a depth"}};            // latents, depth
    for (size_t i = 0; i < FUM_COUNT(kinds); i++)
        if (kinds[i].channels == in_channels) return kinds[i].name;
    return "an unusual";
}

static enum fum_result no_memory(const fum_loader *loader, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its configuration",
                         fum_loader_path(loader));
}

static bool has_tensor(const fum_loader *loader, const char *name) {
    return fum_loader_find(loader, name) != NULL;
}

static bool has_prefix(const fum_loader *loader, const char *prefix) {
    return fum_loader_count_prefix(loader, prefix, NULL) > 0;
}

// Where a UNet may be, and the names of tensors that show what it reads.
static const struct unet_place {
    const char *prefix, *in, *context, *guidance, *classes, *text_time;
    bool diffusers;
} unet_places[] = {
#define ORIGINAL_NAMES                                                                     \
    "input_blocks.0.0.weight", "input_blocks.%d.1.transformer_blocks.0.attn2.to_k.weight", \
        "time_embed.cond_proj.weight", "label_emb.weight", "label_emb.0.0.weight", false
#define DIFFUSERS_NAMES                                                                     \
    "conv_in.weight", "down_blocks.%d.attentions.0.transformer_blocks.0.attn2.to_k.weight", \
        "time_embedding.cond_proj.weight", "class_embedding.weight",                        \
        "add_embedding.linear_1.weight", true
    {"model.diffusion_model.", ORIGINAL_NAMES},
    {"", ORIGINAL_NAMES},
    {"unet.", DIFFUSERS_NAMES},
    {"", DIFFUSERS_NAMES},
};

// Finds the UNet of a file; NULL: it has none. `original`: only under names of the original layout.
static const struct unet_place *find_unet(const fum_loader *loader, bool original) {
    for (size_t i = 0; i < FUM_COUNT(unet_places); i++) {
        const struct unet_place *place = &unet_places[i];
        if (original && place->diffusers) continue;
        if (fum_loader_dim(loader, place->prefix, 1, "%s", place->in)) return place;
    }
    return NULL;
}

// Finds the family by its text encoder, else by the width of the context that the UNet attends to.
// NULL: none.
static const struct fum_family *find_family(const fum_loader *loader,
                                            const struct unet_place *place) {
    int in = fum_loader_dim(loader, place->prefix, 1, "%s", place->in);
    for (int i = 0; i < fum_family_count; i++) {
        const struct fum_family_file *file = &fum_families[i].file;
        if (file->sign && has_prefix(loader, file->sign) &&
            (!file->in_channels || file->in_channels == in))
            return &fum_families[i];
    }
    int width = 0;
    for (int block = 0; block < 12 && !width; block++) {
        char name[128];
        snprintf(name, sizeof name, place->context, block);
        width = fum_loader_dim(loader, place->prefix, 1, "%s", name);
    }
    return width ? fum_family_of_context(width) : NULL;
}

// Returns the family whose conventions a UNet of unusual width has. That is SD1, XL if it reads
// pooled text, or the refiner if only that one's numbers fit beside it.
static const struct fum_family *guess_family(const fum_loader *loader,
                                             const struct unet_place *place, int pooled) {
    int in = fum_loader_dim(loader, place->prefix, 1, "%s", place->text_time), rest = in - pooled;
    const struct fum_family *xl = fum_family_find("sdxl"),
                            *refiner = fum_family_find("sdxl-refiner");
    if (!in) return fum_family_find("sd1");
    return pooled && rest % xl->time_ids && rest % refiner->time_ids == 0 ? refiner : xl;
}

// Finds the prediction type of a family that has both, by the metadata's name and size of the
// model.
static void guess_prediction(struct fum_checkpoint *c, const fum_loader *loader) {
    const char *architecture = fum_loader_metadata(loader, "modelspec.architecture");
    const char *resolution = fum_loader_metadata(loader, "modelspec.resolution");
    if (architecture && strstr(architecture, "768-v")) {
        c->prediction = "v_prediction";
        return;
    }
    if (architecture && strstr(architecture, "512")) return;
    if (resolution && !strncmp(resolution, "512", 3)) return;
    c->evidence = FUM_CHECKPOINT_GUESSED;
    if (c->in_channels == PLAIN_CHANNELS) c->prediction = c->family->prediction;
}

// Finds the prediction type by marker tensors, by metadata (modelspec, kohya), else by the family.
static void find_prediction(struct fum_checkpoint *c, const fum_loader *loader) {
    const char *modelspec = fum_loader_metadata(loader, "modelspec.prediction_type");
    const char *kohya = fum_loader_metadata(loader, "ss_v_parameterization");
    c->prediction = "epsilon";
    c->evidence = FUM_CHECKPOINT_STATED;
    if (has_tensor(loader, "v_pred") || has_tensor(loader, COSXL_SIGMA_MAX) ||
        (modelspec && modelspec[0] == 'v')) {
        c->prediction = "v_prediction";
    } else if (modelspec || kohya) {
        if (!modelspec && !strcmp(kohya, "True")) c->prediction = "v_prediction";
    } else if (c->family->file.epsilon_size) {
        guess_prediction(c, loader);
    } else {
        c->evidence = FUM_CHECKPOINT_USUAL;
        c->prediction = c->family->prediction;
    }
    // at zero SNR there is no noise to predict from
    c->zero_snr = has_tensor(loader, "ztsnr") && c->prediction[0] == 'v';
}

// Finds the side of the training pictures: the metadata's, else the family's.
static void find_size(struct fum_checkpoint *c, const fum_loader *loader) {
    const char *resolution = fum_loader_metadata(loader, "modelspec.resolution");
    int epsilon_size = c->family->file.epsilon_size, side = 0;
    c->size = c->family->size;
    if (epsilon_size && !strcmp(c->prediction, "epsilon")) c->size = epsilon_size;
    if (!resolution || sscanf(resolution, "%d", &side) != 1) return;
    if (side >= 64 && side <= 8192) c->size = side;
}

// Reads the `count` values of a small tensor, at most MAX_LATENT_CHANNELS. False if it is not
// there, holds another number of them, has an unknown type or cannot be read.
static bool read_values(const fum_loader *loader, const char *name, float *values, int count) {
    const struct fum_loader_tensor *t = fum_loader_find(loader, name);
    if (!t || count > MAX_LATENT_CHANNELS || fum_view_count(&t->view) != (uint64_t)count ||
        t->view.dtype == FUM_DTYPE_UNKNOWN)
        return false;
    return !fum_view_read_f32(&t->view, values, NULL);
}

static bool add_floats(cJSON *json, const char *key, const float *values, int count) {
    cJSON *list = cJSON_AddArrayToObject(json, key);
    bool good = list != NULL;
    for (int i = 0; i < count && good; i++)
        good = cJSON_AddItemToArray(list, cJSON_CreateNumber((double)values[i]));
    return good;
}

// EDM models of this layout: what their marker tensors stand for.
enum edm_kind {
    EDM_NONE,
    EDM_PLAYGROUND, // edm_mean and edm_std: the latents' statistics (Playground v2.5)
    EDM_COSXL,      // edm_vpred.sigma_max and sigma_min: v-prediction over those noise levels
};

static enum edm_kind edm_of(const fum_loader *loader) {
    if (has_tensor(loader, "edm_mean") && has_tensor(loader, "edm_std")) return EDM_PLAYGROUND;
    return has_tensor(loader, COSXL_SIGMA_MAX) ? EDM_COSXL : EDM_NONE;
}

// Adds the mean and deviation of normalised latents, as diffusers reads them from the file.
static enum fum_result add_latent_statistics(struct fum_checkpoint *c, const fum_loader *loader,
                                             struct fum_error *err) {
    float mean[MAX_LATENT_CHANNELS], std[MAX_LATENT_CHANNELS];
    int channels = c->vae ? (int)fum_json_number(c->vae, "latent_channels", 0) : 0;
    if (!c->vae || edm_of(loader) != EDM_PLAYGROUND) return FUM_OK;
    if (channels < 1 || channels > MAX_LATENT_CHANNELS ||
        !read_values(loader, "edm_mean", mean, channels) ||
        !read_values(loader, "edm_std", std, channels))
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "%s: edm_mean and edm_std should hold %d values each, one per latent channel",
            fum_loader_path(loader), channels);
    cJSON_DeleteItemFromObjectCaseSensitive(c->vae, "scaling_factor");
    if (cJSON_AddNumberToObject(c->vae, "scaling_factor", 0.5) &&
        add_floats(c->vae, "latents_mean", mean, channels) &&
        add_floats(c->vae, "latents_std", std, channels))
        return FUM_OK;
    return no_memory(loader, err);
}

// Returns the scheduler that diffusers gives these models: sigma_max 80 and sigma_min 0.002 unless
// the file holds others.
static cJSON *edm_scheduler_config(const struct fum_checkpoint *c, const fum_loader *loader,
                                   enum edm_kind kind) {
    float high = kind == EDM_COSXL ? 120 : 80, low = 0.002f;
    bool cosxl = kind == EDM_COSXL;
    if (cosxl) read_values(loader, COSXL_SIGMA_MAX, &high, 1);
    if (cosxl) read_values(loader, "edm_vpred.sigma_min", &low, 1);
    cJSON *json = cJSON_CreateObject();
    bool good =
        json &&
        cJSON_AddStringToObject(json, "_class_name",
                                cosxl ? "EDMEulerScheduler" : "EDMDPMSolverMultistepScheduler") &&
        cJSON_AddStringToObject(json, "sigma_schedule", cosxl ? "exponential" : "karras") &&
        cJSON_AddNumberToObject(json, "sigma_data", cosxl ? 1 : 0.5) &&
        cJSON_AddNumberToObject(json, "sigma_max", (double)high) &&
        cJSON_AddNumberToObject(json, "sigma_min", (double)low) &&
        cJSON_AddNumberToObject(json, "num_train_timesteps", 1000) &&
        cJSON_AddStringToObject(json, "prediction_type", c->prediction);
    if (good) return json;
    cJSON_Delete(json);
    return NULL;
}

// Returns the scheduler that diffusers ships for the family.
static cJSON *scheduler_config(const struct fum_checkpoint *c) {
    const struct fum_family_file *file = &c->family->file;
    bool distilled = cJSON_HasObjectItem(c->unet, "time_cond_proj_dim"), own = file->betas[1] > 0;
    cJSON *json = cJSON_CreateObject();
    bool good =
        json &&
        cJSON_AddStringToObject(json, "_class_name",
                                distilled ? "LCMScheduler" : file->scheduler) &&
        cJSON_AddStringToObject(json, "beta_schedule", "scaled_linear") &&
        cJSON_AddNumberToObject(json, "beta_start", own ? file->betas[0] : 0.00085) &&
        cJSON_AddNumberToObject(json, "beta_end", own ? file->betas[1] : 0.012) &&
        cJSON_AddNumberToObject(json, "num_train_timesteps", 1000) &&
        cJSON_AddStringToObject(json, "prediction_type", c->prediction) &&
        cJSON_AddNumberToObject(json, "steps_offset", 1) &&
        cJSON_AddFalseToObject(json, "set_alpha_to_one") &&
        cJSON_AddFalseToObject(json, "clip_sample") &&
        cJSON_AddStringToObject(json, "timestep_spacing", c->zero_snr ? "trailing" : "leading") &&
        cJSON_AddBoolToObject(json, "rescale_betas_zero_snr", c->zero_snr) &&
        (!file->skip_prk_steps || cJSON_AddTrueToObject(json, "skip_prk_steps"));
    if (good) return json;
    cJSON_Delete(json);
    return NULL;
}

static enum fum_result read_text_encoders(struct fum_checkpoint *c, const fum_loader *loader,
                                          struct fum_error *err) {
    cJSON **configs[FUM_MODEL_MAX_TEXT] = {&c->text_encoder, &c->text_encoder_2};
    for (int i = 0; i < FUM_MODEL_MAX_TEXT; i++) {
        const struct fum_family_text *text = &c->family->file.text[i];
        if (!text->prefix || !has_prefix(loader, text->prefix)) continue;
        *configs[i] = fum_checkpoint_text_config(loader, text, err);
        if (!*configs[i]) return FUM_ERR_FORMAT;
    }
    return FUM_OK;
}

// Adds the conditions of distilled and class-conditional UNets, where the file has their weights.
static enum fum_result add_conditions(struct fum_checkpoint *c, const fum_loader *loader,
                                      const struct unet_place *place, struct fum_error *err) {
    int guidance = fum_loader_dim(loader, place->prefix, 1, "%s", place->guidance);
    int classes = fum_loader_dim(loader, place->prefix, 0, "%s", place->classes);
    if ((!guidance || cJSON_AddNumberToObject(c->unet, "time_cond_proj_dim", guidance)) &&
        (!classes || cJSON_AddNumberToObject(c->unet, "num_class_embeds", classes)))
        return FUM_OK;
    return no_memory(loader, err);
}

// Adds the pooled text and the size numbers of the UNets that read them, each an embedding of the
// same width.
static enum fum_result add_text_time(struct fum_checkpoint *c, const fum_loader *loader,
                                     const struct unet_place *place, struct fum_error *err) {
    int in = fum_loader_dim(loader, place->prefix, 1, "%s", place->text_time);
    int count = c->family->time_ids;
    bool wanted = count > 0;
    if (wanted != (in > 0))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: a %s model %s %s, which is not supported",
                             fum_loader_path(loader), c->family->title, wanted ? "without" : "with",
                             place->text_time);
    if (!wanted) return FUM_OK;
    int known = c->pooled ? c->pooled : POOLED_CHANNELS;
    int pooled = c->text_encoder_2
                     ? (int)fum_json_number(c->text_encoder_2, "projection_dim", known)
                     : known;
    int width = in > pooled && (in - pooled) % count == 0 ? (in - pooled) / count : 0;
    if (!width)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: %s takes %d values, which are not %d and %d embeddings",
                             fum_loader_path(loader), place->text_time, in, pooled, count);
    if (cJSON_AddStringToObject(c->unet, "addition_embed_type", "text_time") &&
        cJSON_AddNumberToObject(c->unet, "addition_time_embed_dim", width) &&
        cJSON_AddNumberToObject(c->unet, "projection_class_embeddings_input_dim", in))
        return FUM_OK;
    return no_memory(loader, err);
}

// Derives the components' configurations, of those that the file holds. A UNet may have one
// already.
static enum fum_result read_components(struct fum_checkpoint *c, const fum_loader *loader,
                                       const struct unet_place *place, struct fum_error *err) {
    bool derived = !c->unet;
    if (derived)
        c->unet = fum_checkpoint_unet_config(loader, place->prefix, c->family, c->size, err);
    if (!c->unet) return FUM_ERR_FORMAT;
    enum fum_result result = read_text_encoders(c, loader, err);
    if (!result && derived) result = add_text_time(c, loader, place, err);
    if (!result && derived) result = add_conditions(c, loader, place, err);
    const char *vae = has_prefix(loader, "first_stage_model.") ? "first_stage_model." : "vae.";
    if (!result && has_prefix(loader, vae)) {
        c->vae = fum_checkpoint_vae_config(loader, vae, c->family, c->size, err);
        if (!c->vae) return FUM_ERR_FORMAT;
    }
    return result ? result : add_latent_statistics(c, loader, err);
}

// Fills in what follows from the family and the tensors.
static enum fum_result describe(struct fum_checkpoint *c, const fum_loader *loader,
                                const struct unet_place *place, struct fum_error *err) {
    find_prediction(c, loader);
    find_size(c, loader);
    enum fum_result result = read_components(c, loader, place, err);
    if (result) return result;
    enum edm_kind edm = edm_of(loader);
    c->edm = edm != EDM_NONE;
    c->scheduler = c->edm ? edm_scheduler_config(c, loader, edm) : scheduler_config(c);
    if (!c->scheduler) return no_memory(loader, err);
    return fum_embedded_configs(c, loader, err);
}

static enum fum_result refuse_without_unet(const fum_loader *loader, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: no UNet in it (model.diffusion_model.input_blocks.0.0.weight): "
                         "not a Stable Diffusion checkpoint",
                         fum_loader_path(loader));
}

static enum fum_result detect(struct fum_checkpoint *c, const fum_loader *loader,
                              struct fum_error *err) {
    const struct unet_place *place = find_unet(loader, true);
    if (place) c->in_channels = fum_loader_dim(loader, place->prefix, 1, "%s", place->in);
    enum fum_result result = fum_checkpoint_refuse_others(&c->other, loader, err);
    if (result) return result;
    if (!place) return refuse_without_unet(loader, err);
    c->family = find_family(loader, place);
    if (!c->family)
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "%s: neither its text encoder nor its UNet's context width shows the family",
            fum_loader_path(loader));
    return describe(c, loader, place, err);
}

enum fum_result fum_checkpoint_detect_unet(struct fum_checkpoint *c, const fum_loader *loader,
                                           cJSON *config, int pooled, struct fum_error *err) {
    const struct unet_place *place = find_unet(loader, false);
    *c = (struct fum_checkpoint){.unet = config, .pooled = pooled};
    enum fum_result result = place ? FUM_OK : refuse_without_unet(loader, err);
    if (!result) {
        c->in_channels = fum_loader_dim(loader, place->prefix, 1, "%s", place->in);
        c->family = find_family(loader, place);
        if (!c->family) c->family = guess_family(loader, place, pooled);
        result = describe(c, loader, place, err);
    }
    if (result) fum_checkpoint_free(c);
    return result;
}

enum fum_result fum_checkpoint_detect(struct fum_checkpoint *checkpoint, const fum_loader *loader,
                                      struct fum_error *err) {
    *checkpoint = (struct fum_checkpoint){0};
    enum fum_result result = detect(checkpoint, loader, err);
    const char *other = checkpoint->other;
    if (result) fum_checkpoint_free(checkpoint);
    checkpoint->other = other;
    return result;
}

void fum_checkpoint_free(struct fum_checkpoint *c) {
    cJSON_Delete(c->unet);
    cJSON_Delete(c->vae);
    cJSON_Delete(c->text_encoder);
    cJSON_Delete(c->text_encoder_2);
    cJSON_Delete(c->scheduler);
    *c = (struct fum_checkpoint){0};
}
