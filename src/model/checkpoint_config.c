// SPDX-License-Identifier: MIT
// Derives the configurations of the components from the shapes of a single file's tensors.
#include "model/checkpoint.h"

#include "base/error.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_LEVELS = 8,
    MAX_LAYERS = 16,
    MAX_DEPTH = 64,
    MAX_ENCODER_LAYERS = 256,
    OPENCLIP_WIDTH = 1024
};

#define DIM(axis, ...) fum_loader_dim(loader, prefix, axis, __VA_ARGS__)

cJSON *fum_checkpoint_no_memory(const fum_loader *loader, const char *owner,
                                struct fum_error *err) {
    fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its %s configuration",
                  fum_loader_path(loader), owner);
    return NULL;
}

bool fum_checkpoint_refuse(const fum_loader *loader, const char *what, struct fum_error *err) {
    fum_error_set(err, FUM_ERR_FORMAT, "%s: %s", fum_loader_path(loader), what);
    return false;
}

static bool add_int(cJSON *json, const char *key, int value) {
    return cJSON_AddNumberToObject(json, key, value) != NULL;
}

static bool add_text(cJSON *json, const char *key, const char *value) {
    return cJSON_AddStringToObject(json, key, value) != NULL;
}

static bool add_ints(cJSON *json, const char *key, const int *values, int count) {
    cJSON *list = cJSON_CreateIntArray(values, count);
    if (list && cJSON_AddItemToObject(json, key, list)) return true;
    cJSON_Delete(list);
    return false;
}

// Adds a list of block types, from the last to the first if `reverse`.
static bool add_types(cJSON *json, const char *key, const char *const *types, int count,
                      bool reverse) {
    cJSON *list = cJSON_AddArrayToObject(json, key);
    for (int i = 0; list && i < count; i++) {
        const char *type = types[reverse ? count - 1 - i : i];
        if (!cJSON_AddItemToArray(list, cJSON_CreateString(type))) return false;
    }
    return list != NULL;
}

struct levels {
    int count, layers;
    int channels[MAX_LEVELS], depth[MAX_LEVELS]; // depth: transformer blocks, 0 without attention
    // Its attention reads the context alone, where no layer attends to the picture itself.
    bool only_cross[MAX_LEVELS];
    int context;
    bool linear; // the transformer's projections are linear layers, not 1x1 convolutions
    int mid_depth;
    int read; // layers of the level that is being read
};

// Counts the blocks of a transformer by the names of any tensors. One tensor alone does not decide,
// so that a file that lacks it is refused by its name.
static int transformer_depth(const fum_loader *loader, const char *prefix, const char *block) {
    int depth = 0;
    while (depth < MAX_DEPTH &&
           fum_loader_has(loader, prefix, "%s.1.transformer_blocks.%d.", block, depth))
        depth++;
    return depth;
}

// Reads a layer of a level: a resnet, and the transformer behind it. u->read of the level have been
// read before.
static bool read_layer(const fum_loader *loader, const char *prefix, const char *block,
                       struct levels *u, struct fum_error *err) {
    char name[96];
    if (u->count == MAX_LEVELS || u->read == MAX_LAYERS)
        return fum_checkpoint_refuse(loader, "its UNet has more blocks than any known one", err);
    snprintf(name, sizeof name, "%s.0.in_layers.2.weight", block);
    int channels = fum_loader_need(loader, prefix, 0, name, err),
        depth = transformer_depth(loader, prefix, block);
    if (!channels) return false;
    if (u->read++ && (depth != u->depth[u->count] || channels != u->channels[u->count]))
        return fum_checkpoint_refuse(
            loader,
            "the layers of one level of its UNet differ in width or depth, which is "
            "not supported",
            err);
    u->channels[u->count] = channels;
    u->depth[u->count] = depth;
    if (!depth) return true;
    snprintf(name, sizeof name, "%s.1.transformer_blocks.0.attn2.to_k.weight", block);
    u->context = fum_loader_need(loader, prefix, 1, name, err);
    u->linear = !DIM(2, "%s.1.proj_in.weight", block);
    int from = DIM(1, "%s.1.transformer_blocks.0.attn1.to_k.weight", block);
    u->only_cross[u->count] = from != channels && from == u->context;
    return u->context > 0;
}

// Walks the input blocks: layers, then a down-sampling ends the level.
static bool read_levels(const fum_loader *loader, const char *prefix, struct levels *u,
                        struct fum_error *err) {
    for (int at = 1, more = 1; more; at++) {
        char block[32];
        snprintf(block, sizeof block, "input_blocks.%d", at);
        bool down = fum_loader_has(loader, prefix, "%s.0.op.", block);
        more = down || fum_loader_has(loader, prefix, "%s.", block) ||
               fum_loader_has(loader, prefix, "input_blocks.%d.", at + 1);
        if (more && !down) {
            if (!read_layer(loader, prefix, block, u, err)) return false;
            continue;
        }
        if (!u->read || (u->layers && u->read != u->layers))
            return fum_checkpoint_refuse(
                loader, "the levels of its UNet differ in layers, which is not supported", err);
        u->layers = u->read;
        u->read = 0;
        u->count++;
    }
    u->mid_depth = transformer_depth(loader, prefix, "middle_block");
    int last = u->depth[u->count - 1];
    if (!u->context)
        return fum_checkpoint_refuse(
            loader, "its UNet has no cross-attention, which is not supported", err);
    if (last && u->mid_depth && u->mid_depth != last)
        return fum_checkpoint_refuse(
            loader,
            "the middle block of its UNet is deeper than the last level, which is not "
            "supported",
            err);
    return true;
}

// Reads the levels of a UNet with diffusers' names.
static bool read_named_levels(const fum_loader *loader, const char *prefix, struct levels *u,
                              struct fum_error *err) {
    char name[96];
    for (; fum_loader_has(loader, prefix, "down_blocks.%d.", u->count); u->count++) {
        int layers = 0, depth = 0, level = u->count;
        if (level == MAX_LEVELS)
            return fum_checkpoint_refuse(loader, "its UNet has more blocks than any known one",
                                         err);
        while (layers < MAX_LAYERS &&
               fum_loader_has(loader, prefix, "down_blocks.%d.resnets.%d.", level, layers))
            layers++;
        while (depth < MAX_DEPTH &&
               fum_loader_has(loader, prefix, "down_blocks.%d.attentions.0.transformer_blocks.%d.",
                              level, depth))
            depth++;
        snprintf(name, sizeof name, "down_blocks.%d.resnets.0.conv1.weight", level);
        u->channels[level] = fum_loader_need(loader, prefix, 0, name, err);
        u->depth[level] = depth;
        u->layers = layers;
        if (!u->channels[level]) return false;
        if (!depth) continue;
        snprintf(name, sizeof name,
                 "down_blocks.%d.attentions.0.transformer_blocks.0.attn2.to_k.weight", level);
        u->context = fum_loader_need(loader, prefix, 1, name, err);
        u->linear = !DIM(2, "down_blocks.%d.attentions.0.proj_in.weight", level);
        int from =
            DIM(1, "down_blocks.%d.attentions.0.transformer_blocks.0.attn1.to_k.weight", level);
        u->only_cross[level] = from != u->channels[level] && from == u->context;
        if (!u->context) return false;
    }
    while (u->mid_depth < MAX_DEPTH &&
           fum_loader_has(loader, prefix, "mid_block.attentions.0.transformer_blocks.%d.",
                          u->mid_depth))
        u->mid_depth++;
    return (u->count && u->context) ||
           fum_checkpoint_refuse(loader,
                                 "its UNet has no cross-attention, which is not "
                                 "supported",
                                 err);
}

// Adds which levels have no attention to the picture itself, if any have none.
static bool add_only_cross(cJSON *json, const struct levels *u) {
    bool any = false;
    for (int i = 0; i < u->count; i++) any = any || u->only_cross[i];
    cJSON *list = any ? cJSON_AddArrayToObject(json, "only_cross_attention") : NULL;
    bool good = list || !any;
    for (int i = 0; i < u->count && list && good; i++)
        good = cJSON_AddItemToArray(list, cJSON_CreateBool(u->only_cross[i]));
    return good;
}

static bool add_levels(cJSON *json, const struct levels *u, const struct fum_family *family) {
    int heads[MAX_LEVELS], depth[MAX_LEVELS];
    const char *down[MAX_LEVELS], *up[MAX_LEVELS];
    for (int i = 0; i < u->count; i++) {
        heads[i] = u->channels[i] < 64 ? 1 : u->channels[i] / 64;
        if (family->file.heads) heads[i] = family->file.heads;
        bool attention = u->depth[i] > 0;
        down[i] = attention ? "CrossAttnDownBlock2D" : "DownBlock2D";
        up[i] = attention ? "CrossAttnUpBlock2D" : "UpBlock2D";
        // Where a level has no attention its number is not used, but the last one stands for the
        // middle block.
        depth[i] = attention ? u->depth[i] : 1;
        if (!attention && i == u->count - 1 && u->mid_depth) depth[i] = u->mid_depth;
    }
    return add_ints(json, "block_out_channels", u->channels, u->count) &&
           add_types(json, "down_block_types", down, u->count, false) &&
           add_types(json, "up_block_types", up, u->count, true) &&
           add_text(json, "mid_block_type",
                    u->mid_depth ? "UNetMidBlock2DCrossAttn" : "UNetMidBlock2D") &&
           add_int(json, "layers_per_block", u->layers) &&
           add_int(json, "cross_attention_dim", u->context) &&
           add_ints(json, "attention_head_dim", heads, u->count) &&
           add_ints(json, "transformer_layers_per_block", depth, u->count) &&
           add_only_cross(json, u) &&
           cJSON_AddBoolToObject(json, "use_linear_projection", u->linear);
}

cJSON *fum_checkpoint_unet_config(const fum_loader *loader, const char *prefix,
                                  const struct fum_family *family, int size,
                                  struct fum_error *err) {
    struct levels u = {0};
    bool named = fum_loader_has(loader, prefix, "down_blocks."); // as diffusers does
    int out = fum_loader_need(loader, prefix, 0, named ? "conv_out.weight" : "out.2.weight", err);
    bool read = out && (named ? read_named_levels : read_levels)(loader, prefix, &u, err);
    if (!read) return NULL;
    cJSON *json = cJSON_CreateObject();
    bool good = json && add_text(json, "_class_name", "UNet2DConditionModel") &&
                add_int(json, "in_channels",
                        DIM(1, named ? "conv_in.weight" : "input_blocks.0.0.weight")) &&
                add_int(json, "out_channels", out) && add_levels(json, &u, family) &&
                add_int(json, "norm_num_groups", 32) &&
                cJSON_AddNumberToObject(json, "norm_eps", 1e-5) &&
                cJSON_AddTrueToObject(json, "flip_sin_to_cos") && add_int(json, "freq_shift", 0) &&
                add_text(json, "act_fn", "silu") && add_int(json, "sample_size", size / 8);
    if (good) return json;
    cJSON_Delete(json);
    return fum_checkpoint_no_memory(loader, "UNet's", err);
}

// Names of a text encoder's tensors.
struct text_names {
    const char *token, *position, *layers, *fc;
};
static const struct text_names transformers = {
    .token = "embeddings.token_embedding.weight",
    .position = "embeddings.position_embedding.weight",
    .layers = "encoder.layers",
    .fc = "encoder.layers.0.mlp.fc1.weight",
};
static const struct text_names openclip = {
    .token = "token_embedding.weight",
    .position = "positional_embedding",
    .layers = "transformer.resblocks",
    .fc = "transformer.resblocks.0.mlp.c_fc.weight",
};

struct text_dims {
    int vocab, width, positions, inner_width, layers;
    int projection; // 0: none
};

// Reads the dimensions of a text encoder. False with an error that names the missing tensor.
static bool read_text_dims(const fum_loader *loader, const struct fum_family_text *text,
                           struct text_dims *d, struct fum_error *err) {
    const char *prefix = text->prefix;
    const struct text_names *names = text->openclip ? &openclip : &transformers;
    const char *inner =
        !text->openclip && fum_loader_has(loader, prefix, "text_model.") ? "text_model." : "";
    const struct {
        const char *name;
        int axis, *dim;
    } wanted[] = {{names->token, 0, &d->vocab},
                  {names->token, 1, &d->width},
                  {names->position, 0, &d->positions},
                  {names->fc, 0, &d->inner_width}};
    for (size_t i = 0; i < FUM_COUNT(wanted); i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", inner, wanted[i].name);
        *wanted[i].dim = fum_loader_need(loader, prefix, wanted[i].axis, name, err);
        if (!*wanted[i].dim) return false;
    }
    while (d->layers < MAX_ENCODER_LAYERS &&
           fum_loader_has(loader, prefix, "%s%s.%d.", inner, names->layers, d->layers))
        d->layers++;
    if (!text->projected) return true;
    // OpenCLIP's parameter [width, projection], or transformers' layer [projection, width].
    d->projection = DIM(1, "text_projection");
    if (!d->projection)
        d->projection = fum_loader_need(loader, prefix, 0, "text_projection.weight", err);
    return d->projection > 0;
}

cJSON *fum_checkpoint_text_config(const fum_loader *loader, const struct fum_family_text *text,
                                  struct fum_error *err) {
    struct text_dims d = {0};
    if (!read_text_dims(loader, text, &d, err)) return NULL;
    // OpenCLIP's encoders stay so under the names of transformers. Only they are projected or have
    // more channels than OpenAI's 768.
    bool gelu = text->openclip || text->projected || d.width >= OPENCLIP_WIDTH;
    const char *class_name = d.projection ? "CLIPTextModelWithProjection" : "CLIPTextModel";
    cJSON *json = cJSON_CreateObject();
    cJSON *classes = cJSON_AddArrayToObject(json, "architectures");
    bool good = classes && cJSON_AddItemToArray(classes, cJSON_CreateString(class_name)) &&
                add_int(json, "vocab_size", d.vocab) && add_int(json, "hidden_size", d.width) &&
                add_int(json, "intermediate_size", d.inner_width) &&
                add_int(json, "num_hidden_layers", d.layers) &&
                add_int(json, "num_attention_heads", d.width < 64 ? 1 : d.width / 64) &&
                add_int(json, "max_position_embeddings", d.positions) &&
                add_text(json, "hidden_act", gelu ? "gelu" : "quick_gelu") &&
                cJSON_AddNumberToObject(json, "layer_norm_eps", 1e-5) &&
                add_int(json, "bos_token_id", d.vocab - 2) &&
                add_int(json, "eos_token_id", d.vocab - 1) &&
                add_int(json, "pad_token_id", gelu ? 0 : d.vocab - 1) &&
                (!d.projection || add_int(json, "projection_dim", d.projection));
    if (good) return json;
    cJSON_Delete(json);
    return fum_checkpoint_no_memory(loader, "text encoder's", err);
}
