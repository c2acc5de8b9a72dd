// SPDX-License-Identifier: MIT
// Opens a single file in the original layout. Its tensors show what it is; its family has the
// conventions. The vocabulary, which it does not carry, lies where scripts/clip-vocab put it.
#include "base/error.h"
#include "base/macros.h"
#include "model/checkpoint.h"
#include "model/components.h"
#include "model/embedded.h"

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

// Loads the tokenizers of the text encoders that the file holds. OpenCLIP's encoders were trained
// with "!" as padding, OpenAI's with the end token.
static enum fum_result load_tokenizers(fum_model *model, const struct fum_checkpoint *c,
                                       struct fum_error *err) {
    const cJSON *configs[FUM_MODEL_MAX_TEXT] = {c->text_encoder, c->text_encoder_2};
    enum fum_result result = FUM_OK;
    for (int i = 0; i < FUM_MODEL_MAX_TEXT && !result; i++) {
        const char *pad = c->family->file.text[i].openclip ? "!" : NULL;
        if (!configs[i]) continue;
        result = fum_embedded_tokenizer(&model->tokenizers[i], model->file,
                                        fum_model_roles[i].tokenizer, err);
        if (!result && !model->tokenizers[i])
            result = fum_tokenizer_load_clip(&model->tokenizers[i], NULL,
                                             &(struct fum_tokenizer_params){.pad = pad}, err);
    }
    return result;
}

// Uses the file's own scheduler before the family's sampler: markers in the file, or a distilled
// UNet.
enum fum_result fum_model_take_scheduler(fum_model *model, const struct fum_checkpoint *c,
                                         struct fum_error *err) {
    enum fum_result result = fum_sample_config_read(&model->view.schedule, c->scheduler, err);
    if (result) return result;
    model->of_folder = c->of_folder;
    model->own_scheduler =
        c->edm || c->of_folder || cJSON_HasObjectItem(c->unet, "time_cond_proj_dim");
    if (c->zero_snr) model->view.schedule.rescale_betas_zero_snr = FUM_SWITCH_ON;
    return FUM_OK;
}

static enum fum_result add_components(fum_model *model, struct fum_checkpoint *c,
                                      struct fum_error *err) {
    const struct {
        const char *name, *class_name;
        cJSON **config;
    } all[] = {{"text_encoder", "CLIPTextModel", &c->text_encoder},
               {"text_encoder_2", "CLIPTextModelWithProjection", &c->text_encoder_2},
               {"unet", "UNet2DConditionModel", &c->unet},
               {"vae", "AutoencoderKL", &c->vae}};
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < FUM_COUNT(all) && !result; i++)
        result = add_component(model, all[i].name, all[i].class_name, all[i].config, err);
    return result;
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
    if (!result && model->partial)
        result = fum_checkpoint_detect_unet(&c, model->file, NULL, 0, &detected);
    else if (!result)
        result = fum_checkpoint_detect(&c, model->file, &detected);
    if (result && detected.code) fum_error_set(err, result, "%s", detected.text);
    if (result && c.other) result = list_file(model, c.other, &detected, err);
    if (result || model->info.unusable) goto done;
    model->family = c.family;
    if (!model->partial && (!c.unet || !c.vae)) {
        result = fum_error_set(err, FUM_ERR_FORMAT,
                               "%s: holds no %s: a whole checkpoint has UNet, VAE and text encoder",
                               path, c.unet ? "VAE" : "UNet");
        goto done;
    }
    result = load_tokenizers(model, &c, err);
    if (!result) result = fum_model_take_scheduler(model, &c, err);
    if (!result) result = add_components(model, &c, err);
done:
    fum_checkpoint_free(&c);
    return result;
}
