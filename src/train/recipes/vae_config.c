// SPDX-License-Identifier: MIT
#include "train/recipes/vae_config.h"

#include <stdio.h>

void fum_vae_copy_int(struct fum_settings *s, cJSON *json, const char *key, int64_t max) {
    char name[64];
    snprintf(name, sizeof name, "model.%s", key);
    cJSON_AddNumberToObject(json, key, (double)fum_settings_int(s, name, 1, max));
}

void fum_vae_copy_bool(struct fum_settings *s, cJSON *json, const char *key) {
    char name[64];
    snprintf(name, sizeof name, "model.%s", key);
    cJSON_AddBoolToObject(json, key, fum_settings_bool(s, name));
}

static void add_blocks(cJSON *json, const char *key, const char *type, int count) {
    cJSON *list = cJSON_AddArrayToObject(json, key);
    for (int i = 0; i < count; i++) cJSON_AddItemToArray(list, cJSON_CreateString(type));
}

cJSON *fum_vae_describe(struct fum_training *t, const char *class_name) {
    struct fum_settings *s = &t->settings;
    int channels[FUM_VAE_MAX_BLOCKS];
    int levels = fum_settings_ints(s, "model.block_out_channels", channels, FUM_VAE_MAX_BLOCKS);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "_class_name", class_name);
    cJSON_AddStringToObject(json, "act_fn", "silu");
    cJSON_AddItemToObject(json, "block_out_channels", cJSON_CreateIntArray(channels, levels));
    add_blocks(json, "down_block_types", "DownEncoderBlock2D", levels);
    add_blocks(json, "up_block_types", "UpDecoderBlock2D", levels);
    cJSON_AddNumberToObject(json, "in_channels", t->channels);
    cJSON_AddNumberToObject(json, "out_channels", t->channels);
    cJSON_AddNumberToObject(json, "sample_size", t->width);
    fum_vae_copy_int(s, json, "layers_per_block", 16);
    fum_vae_copy_int(s, json, "latent_channels", FUM_VAE_MAX_LATENT);
    return json;
}
