// SPDX-License-Identifier: MIT
// Opens a single file in the original layout. What it is comes from its tensors, its conventions
// from its family, and the vocabulary, which it does not carry, from where scripts/clip-vocab put
// it.
#include "base/error.h"
#include "model/checkpoint.h"
#include "model/components.h"

static const char *const family_names[FUM_CHECKPOINT_FAMILY_COUNT] = {
    [FUM_CHECKPOINT_SD1] = "sd1",
    [FUM_CHECKPOINT_SD2] = "sd2",
    [FUM_CHECKPOINT_SDXL] = "sdxl",
    [FUM_CHECKPOINT_SDXL_REFINER] = "sdxl-refiner",
};

// Adds a component, which takes its configuration over; skips one that the file does not hold.
static enum fum_result add_component(fum_model *model, const char *name, const char *class_name,
                                     cJSON **config, struct fum_error *err) {
    if (!*config) return FUM_OK;
    struct fum_model_component component = {.name = name,
                                            .class_name = class_name,
                                            .file = model->info.path,
                                            .config = *config,
                                            .own_config = *config,
                                            .loader = model->file};
    *config = NULL;
    return fum_model_add_component(model, &component, err);
}

static enum fum_result load_tokenizer(fum_model *model, int which, const char *pad,
                                      const cJSON *config, struct fum_error *err) {
    if (!config) return FUM_OK;
    return fum_tokenizer_load_clip(&model->tokenizers[which], NULL,
                                   &(struct fum_tokenizer_params){.pad = pad}, err);
}

// Adds the file as one component that can only be listed.
static enum fum_result list_file(fum_model *model, const char *what, const struct fum_error *why,
                                 struct fum_error *err) {
    model->components[model->num_components++] = (struct fum_model_component){
        .name = "file", .file = model->info.path, .loader = model->file};
    model->info.family = what;
    return fum_model_set_unusable(model, why, err);
}

enum fum_result fum_model_open_file(fum_model *model, struct fum_error *err) {
    const char *path = model->info.path;
    struct fum_checkpoint c = {0};
    enum fum_result result = fum_loader_open(&model->file, path, err);
    struct fum_error detected = {0};
    if (!result) result = fum_checkpoint_detect(&c, model->file, &detected);
    if (result && detected.code) fum_error_set(err, result, "%s", detected.text);
    if (result && c.other) result = list_file(model, c.other, &detected, err);
    if (result || model->info.unusable) goto done;
    model->family = fum_family_find(family_names[c.family]);
    if (!c.unet || !c.vae) {
        result = fum_error_set(err, FUM_ERR_FORMAT,
                               "%s: holds no %s: a whole checkpoint has UNet, VAE and text encoder",
                               path, c.unet ? "VAE" : "UNet");
        goto done;
    }
    // OpenCLIP's encoders were trained with "!" as padding, OpenAI's with the end token.
    if ((result = load_tokenizer(model, 0, c.family == FUM_CHECKPOINT_SD2 ? "!" : NULL,
                                 c.text_encoder, err)))
        goto done;
    if ((result = load_tokenizer(model, 1, "!", c.text_encoder_2, err))) goto done;
    if (c.scheduler && (result = fum_sample_config_read(&model->view.schedule, c.scheduler, err)))
        goto done;
    model->own_scheduler =
        c.edm || cJSON_HasObjectItem(c.unet, "time_cond_proj_dim"); // markers, or a distilled UNet
    if (c.zero_snr) model->view.schedule.rescale_betas_zero_snr = FUM_SWITCH_ON;
    if ((result = add_component(model, "text_encoder", "CLIPTextModel", &c.text_encoder, err)))
        goto done;
    if ((result = add_component(model, "text_encoder_2", "CLIPTextModelWithProjection",
                                &c.text_encoder_2, err)))
        goto done;
    if ((result = add_component(model, "unet", "UNet2DConditionModel", &c.unet, err))) goto done;
    result = add_component(model, "vae", "AutoencoderKL", &c.vae, err);
done:
    fum_checkpoint_free(&c);
    return result;
}
