// SPDX-License-Identifier: MIT
#include "train/recipes/vae_config.h"

#include <stdio.h>

void fum_vae_copy_int(struct fum_settings *s, cJSON *json, const char *key, int64_t max) {
    char name[64];
    snprintf(name, sizeof name, "model.%s", key);
    fum_settings_put(s, json, key, cJSON_CreateNumber((double)fum_settings_int(s, name, 1, max)));
}

void fum_vae_copy_bool(struct fum_settings *s, cJSON *json, const char *key) {
    char name[64];
    snprintf(name, sizeof name, "model.%s", key);
    fum_settings_put(s, json, key, cJSON_CreateBool(fum_settings_bool(s, name)));
}

static void add_blocks(struct fum_settings *s, cJSON *json, const char *key, const char *type,
                       int count) {
    const char *types[FUM_VAE_MAX_BLOCKS];
    for (int i = 0; i < count; i++) types[i] = type;
    fum_settings_put_words(s, json, key, types, count);
}

cJSON *fum_vae_describe(struct fum_training *t, const char *class_name) {
    struct fum_settings *s = &t->settings;
    int channels[FUM_VAE_MAX_BLOCKS];
    int levels = fum_settings_ints(s, "model.block_out_channels", channels, FUM_VAE_MAX_BLOCKS);
    cJSON *json = cJSON_CreateObject();
    fum_settings_put(s, json, "_class_name", cJSON_CreateString(class_name));
    fum_settings_put(s, json, "act_fn", cJSON_CreateString("silu"));
    fum_settings_put(s, json, "block_out_channels", cJSON_CreateIntArray(channels, levels));
    add_blocks(s, json, "down_block_types", "DownEncoderBlock2D", levels);
    add_blocks(s, json, "up_block_types", "UpDecoderBlock2D", levels);
    fum_settings_put(s, json, "in_channels", cJSON_CreateNumber(t->channels));
    fum_settings_put(s, json, "out_channels", cJSON_CreateNumber(t->channels));
    fum_settings_put(s, json, "sample_size", cJSON_CreateNumber(t->width));
    fum_vae_copy_int(s, json, "layers_per_block", 16);
    fum_vae_copy_int(s, json, "latent_channels", FUM_VAE_MAX_LATENT);
    return json;
}
