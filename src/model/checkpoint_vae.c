// SPDX-License-Identifier: MIT
// Derives the configuration of a VAE from the shapes of a file's tensors.
#include "base/error.h"
#include "base/macros.h"
#include "model/checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LEVELS = 8, MAX_LAYERS = 16 };

// Names of a VAE's tensors.
struct vae_names {
    const char *level, *layer, *conv, *attention; // of the decoder; level and layer are numbers
    bool upwards;                                 // level 0 is the one of the fewest channels
};
static const struct vae_names original = {
    .level = "decoder.up.%d.",
    .layer = "decoder.up.%d.block.%d.",
    .conv = "decoder.up.%d.block.0.conv1.weight",
    .attention = "decoder.mid.attn_1.",
    .upwards = true,
};
static const struct vae_names diffusers = {
    .level = "decoder.up_blocks.%d.",
    .layer = "decoder.up_blocks.%d.resnets.%d.",
    .conv = "decoder.up_blocks.%d.resnets.0.conv1.weight",
    .attention = "decoder.mid_block.attentions.0.",
};

// A VAE as its tensors show it.
struct vae_shape {
    int channels[MAX_LEVELS], levels, layers, latent, out;
    bool attention, quant_conv, post_quant_conv;
};

static bool read_levels(const fum_loader *loader, const char *prefix, const struct vae_names *names,
                        struct vae_shape *v, struct fum_error *err) {
    int first[MAX_LEVELS];
    while (v->levels < MAX_LEVELS && fum_loader_has(loader, prefix, names->level, v->levels, 0)) {
        char name[64];
        snprintf(name, sizeof name, names->conv, v->levels);
        // A block's first layer gives its channels, in either order of the blocks.
        first[v->levels] = fum_loader_need(loader, prefix, 0, name, err);
        if (!first[v->levels++]) return false;
    }
    for (int i = 0; i < v->levels; i++)
        v->channels[i] = first[names->upwards ? i : v->levels - 1 - i];
    while (v->layers < MAX_LAYERS && fum_loader_has(loader, prefix, names->layer, 0, v->layers))
        v->layers++;
    return true;
}

static bool read_shape(const fum_loader *loader, const char *prefix, struct vae_shape *v,
                       struct fum_error *err) {
    bool named = fum_loader_has(loader, prefix, diffusers.level, 0, 0);
    const struct vae_names *names = named ? &diffusers : &original;
    if (!read_levels(loader, prefix, names, v, err)) return false;
    v->latent = fum_loader_need(loader, prefix, 1, "decoder.conv_in.weight", err);
    v->out = v->latent ? fum_loader_need(loader, prefix, 0, "decoder.conv_out.weight", err) : 0;
    if (!v->out) return false;
    v->attention = fum_loader_has(loader, prefix, names->attention, 0, 0);
    v->quant_conv = fum_loader_has(loader, prefix, "quant_conv.");
    v->post_quant_conv = fum_loader_has(loader, prefix, "post_quant_conv.");
    if (v->levels && v->layers >= 2) return true;
    return fum_checkpoint_refuse(loader, "its VAE has no blocks (decoder.up.0) that are known",
                                 err);
}

static bool add_types(cJSON *json, const char *key, const char *type, int count) {
    cJSON *list = cJSON_AddArrayToObject(json, key);
    bool good = list != NULL;
    for (int i = 0; i < count && good; i++)
        good = cJSON_AddItemToArray(list, cJSON_CreateString(type));
    return good;
}

static bool add_int(cJSON *json, const char *key, int value) {
    return cJSON_AddNumberToObject(json, key, value) != NULL;
}

cJSON *fum_checkpoint_vae_config(const fum_loader *loader, const char *prefix,
                                 const struct fum_family *family, int size, struct fum_error *err) {
    struct vae_shape v = {0};
    if (!read_shape(loader, prefix, &v, err)) return NULL;
    cJSON *json = cJSON_CreateObject(), *channels = cJSON_CreateIntArray(v.channels, v.levels);
    bool good = json && channels && cJSON_AddItemToObject(json, "block_out_channels", channels);
    if (!good) cJSON_Delete(channels);
    good = good && cJSON_AddStringToObject(json, "_class_name", "AutoencoderKL") &&
           add_int(json, "in_channels", v.out) && add_int(json, "out_channels", v.out) &&
           add_int(json, "latent_channels", v.latent) &&
           add_int(json, "layers_per_block", v.layers - 1) &&
           add_types(json, "down_block_types", "DownEncoderBlock2D", v.levels) &&
           add_types(json, "up_block_types", "UpDecoderBlock2D", v.levels) &&
           add_int(json, "norm_num_groups", 32) &&
           cJSON_AddStringToObject(json, "act_fn", "silu") &&
           cJSON_AddNumberToObject(json, "scaling_factor", family->file.vae_scale) &&
           cJSON_AddBoolToObject(json, "force_upcast", family->file.vae_upcast) &&
           add_int(json, "sample_size", size) &&
           cJSON_AddBoolToObject(json, "use_quant_conv", v.quant_conv) &&
           cJSON_AddBoolToObject(json, "use_post_quant_conv", v.post_quant_conv) &&
           cJSON_AddBoolToObject(json, "mid_block_add_attention", v.attention);
    if (good) return json;
    cJSON_Delete(json);
    return fum_checkpoint_no_memory(loader, "VAE's", err);
}
