// SPDX-License-Identifier: MIT
// Describes the small picture that an upscaler's UNet reads: how it is noised, and by how much.
#include "base/error.h"
#include "base/macros.h"
#include "io/folder.h"
#include "model/components.h"

// diffusers' max_noise_level, for folders without one and for single files.
enum { MAX_LEVEL = 350 };

cJSON *fum_model_low_res_config(void) {
    cJSON *json = cJSON_CreateObject();
    if (json && cJSON_AddStringToObject(json, "_class_name", "DDPMScheduler") &&
        cJSON_AddNumberToObject(json, "num_train_timesteps", 1000) &&
        cJSON_AddStringToObject(json, "beta_schedule", "scaled_linear") &&
        cJSON_AddNumberToObject(json, "beta_start", 0.0001) &&
        cJSON_AddNumberToObject(json, "beta_end", 0.02))
        return json;
    cJSON_Delete(json);
    return NULL;
}

// Returns the highest level that the folder allows, and that the schedule and the UNet have.
static int find_max_level(const fum_model *model) {
    const struct fum_model_view *v = &model->view;
    const cJSON *index = model->folder ? fum_folder_index(model->folder) : NULL;
    double level = index ? fum_json_number(index, "max_noise_level", MAX_LEVEL) : MAX_LEVEL;
    int last = fum_sample_config_timesteps(&v->low_res.schedule) - 1;
    if (v->unet.class_count) last = FUM_MIN(last, v->unet.class_count - 1);
    return level >= 0 && level < last ? (int)level : last;
}

enum fum_result fum_model_read_low_res(fum_model *model, struct fum_error *err) {
    struct fum_model_view *v = &model->view;
    struct fum_model_low_res *low = &v->low_res;
    const struct fum_folder_component *scheduler =
        model->folder ? fum_folder_component(model->folder, "low_res_scheduler") : NULL;
    low->reads = v->unet.in_channels == v->vae.latent_channels + v->vae.in_channels;
    if (!low->reads) return FUM_OK;
    cJSON *own = scheduler && scheduler->config ? NULL : fum_model_low_res_config();
    const cJSON *config = own;
    if (!own && scheduler) config = scheduler->config;
    enum fum_result result =
        config ? fum_sample_config_read(&low->schedule, config, err)
               : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a scheduler's settings");
    if (!result) low->max_level = find_max_level(model);
    cJSON_Delete(own);
    return result;
}
