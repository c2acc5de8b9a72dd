// SPDX-License-Identifier: MIT
// Derives the configuration of a small autoencoder (TAESD) from the shapes of a file's tensors.
#include "base/error.h"
#include "model/checkpoint.h"
#include "model/names.h"
#include "model/vae.h"

#include <stdio.h>

enum { MAX_TINY_LAYERS = 256 };

// A half of the network, as its numbered layers show it.
struct half {
    int channels, in, out, levels;
    int blocks[FUM_VAE_MAX_BLOCKS];
    bool pooled, whole;
};

// Reads the layers of a half: a convolution, blocks, a convolution without bias for each further
// level, and one with a bias at the end.
static struct half read_half(const fum_loader *loader, const char *prefix, int first) {
    struct half h = {.in = fum_loader_dim(loader, prefix, 1, "%d.weight", first),
                     .channels = fum_loader_dim(loader, prefix, 0, "%d.weight", first),
                     .levels = 1};
    for (int i = first + 1; i < MAX_TINY_LAYERS && !h.whole; i++) {
        if (fum_loader_dim(loader, prefix, 0, "%d.conv.0.weight", i)) {
            h.blocks[h.levels - 1]++;
            h.pooled = h.pooled || fum_loader_dim(loader, prefix, 0, "%d.pool.0.weight", i) > 0;
            continue;
        }
        int out = fum_loader_dim(loader, prefix, 0, "%d.weight", i);
        if (!out) continue; // an activation or a doubling
        h.out = out;
        h.whole = fum_loader_dim(loader, prefix, 0, "%d.bias", i) > 0;
        if (!h.whole && h.levels++ == FUM_VAE_MAX_BLOCKS) return (struct half){0};
    }
    return h.whole && h.in && h.channels ? h : (struct half){0};
}

static bool add_half(cJSON *json, const char *blocks_key, const char *channels_key,
                     const struct half *h) {
    int channels[FUM_VAE_MAX_BLOCKS];
    for (int i = 0; i < h->levels; i++) channels[i] = h->channels;
    cJSON *blocks = cJSON_CreateIntArray(h->blocks, h->levels),
          *widths = cJSON_CreateIntArray(channels, h->levels);
    bool good = blocks && widths && cJSON_AddItemToObject(json, blocks_key, blocks) &&
                cJSON_AddItemToObject(json, channels_key, widths);
    if (good) return true;
    if (!cJSON_GetObjectItemCaseSensitive(json, blocks_key)) cJSON_Delete(blocks);
    cJSON_Delete(widths);
    return false;
}

cJSON *fum_checkpoint_tiny_config(const fum_loader *loader, const struct fum_tiny_style *style,
                                  struct fum_error *err) {
    const char *path = fum_loader_path(loader);
    struct half decoder = read_half(loader, style->decoder, style->shift), encoder = {0};
    if (style->encoder) encoder = read_half(loader, style->encoder, 0);
    if (!decoder.whole) {
        fum_error_set(err, FUM_ERR_FORMAT, "%s: its small autoencoder lacks layers of the decoder",
                      path);
        return NULL;
    }
    cJSON *json = cJSON_CreateObject();
    bool good = json && cJSON_AddStringToObject(json, "_class_name", fum_vae_tiny.class_name) &&
                cJSON_AddNumberToObject(json, "in_channels", decoder.out) &&
                cJSON_AddNumberToObject(json, "out_channels", decoder.out) &&
                cJSON_AddNumberToObject(json, "latent_channels", decoder.in) &&
                cJSON_AddBoolToObject(json, "use_midblock_gn", decoder.pooled) &&
                add_half(json, "num_decoder_blocks", "decoder_block_out_channels", &decoder) &&
                add_half(json, "num_encoder_blocks", "encoder_block_out_channels", &encoder);
    if (good) return json;
    cJSON_Delete(json);
    fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its configuration", path);
    return NULL;
}
