// SPDX-License-Identifier: MIT
// Reads config.json of a UNet2DConditionModel. Easy to get wrong:
// - "attention_head_dim" is the number of heads, not their size (diffusers issue 2011), but for K
// blocks.
// - up_blocks list everything from the deepest level.
// - Transformer depths given as lists need the reversed list too.
#include "base/macros.h"
#include "model/unet_k.h"

#include <string.h>

enum { MAX_CHANNELS = 1 << 16, MAX_DEPTH = 64 };

static void refuse_others(struct fum_config *c, bool k_levels) {
    static const char *const flags[] = {"dual_cross_attention", "class_embeddings_concat",
                                        "resnet_skip_time_act", "time_embedding_act_fn",
                                        "cross_attention_norm"};
    for (size_t i = 0; i < FUM_COUNT(flags); i++) fum_config_only(c, flags[i], 0, "");
    if (!k_levels) fum_config_only(c, "timestep_post_act", 0, "");
    if (!k_levels) fum_config_only(c, "act_fn", 0, "silu");
    fum_config_only(c, "attention_type", 0, "default");
    if (!k_levels) fum_config_only(c, "time_embedding_type", 0, "positional");
    fum_config_only(c, "addition_embed_type", 0, "text_time");
    fum_config_only(c, "encoder_hid_dim_type", 0, "text_proj");
    fum_config_only(c, "resnet_out_scale_factor", 1, NULL);
}

static void parse_embeddings(struct fum_config *c, struct fum_unet_config *u, int first_channels) {
    u->time_channels = fum_config_int(c, "time_embedding_dim", 4 * first_channels, 1, MAX_CHANNELS);
    u->time_cond_channels = fum_config_int(c, "time_cond_proj_dim", 0, 1, MAX_CHANNELS);
    const char *kind = fum_config_string(c, "class_embed_type", NULL);
    u->class_count = fum_config_int(c, "num_class_embeds", 0, 1, 1 << 24);
    int in = fum_config_int(c, "projection_class_embeddings_input_dim", 0, 1, MAX_CHANNELS);
    static const struct {
        const char *name;
        enum fum_unet_class value;
    } kinds[] = {{"timestep", FUM_UNET_CLASS_TIMESTEP},
                 {"projection", FUM_UNET_CLASS_PROJECTION},
                 {"simple_projection", FUM_UNET_CLASS_LINEAR},
                 {"identity", FUM_UNET_CLASS_IDENTITY}};
    if (!kind && u->class_count) u->class_embed = FUM_UNET_CLASS_TABLE;
    for (size_t i = 0; kind && i < FUM_COUNT(kinds); i++)
        if (!strcmp(kinds[i].name, kind)) u->class_embed = kinds[i].value;
    if (kind && !u->class_embed) fum_config_unsupported(c, "class_embed_type");
    u->class_channels = u->class_embed == FUM_UNET_CLASS_IDENTITY ? u->time_channels : in;
    u->text_time = fum_config_has(c, "addition_embed_type");
    bool needs_in =
        u->class_embed == FUM_UNET_CLASS_PROJECTION || u->class_embed == FUM_UNET_CLASS_LINEAR;
    if ((u->text_time || needs_in) && !in)
        fum_config_fail(c, "projection_class_embeddings_input_dim",
                        "is missing; the model's embeddings need it");
    if (!u->text_time) return;
    u->text_time_in = in;
    u->text_time_channels = fum_config_int(c, "addition_time_embed_dim", 0, 1, MAX_CHANNELS);
    if (!u->text_time_channels)
        fum_config_fail(c, "addition_time_embed_dim", "is missing; text_time needs it");
}

// Names of blocks with attention and without.
struct block_types {
    const char *with, *without;
};

// Reads the blocks' names into struct fum_unet_block.attention.
static void parse_types(struct fum_config *c, const char *key, const struct block_types *types,
                        struct fum_unet_block *blocks, int count) {
    if (fum_config_list(c, key, FUM_UNET_MAX_BLOCKS) != count) {
        fum_config_fail(c, key, "must list %d blocks, one for each of block_out_channels", count);
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *name = fum_config_list_string(c, key, i);
        bool with = !strcmp(name, types->with);
        blocks[i].attention = with ? FUM_UNET_TRANSFORMER : FUM_UNET_NO_ATTENTION;
        if (!with && strcmp(name, types->without)) fum_config_unsupported(c, key);
    }
}

// Reads an entry of a transformer depth: a number for every layer of the block, or one number each.
static void parse_depth(struct fum_config *c, const char *key, const cJSON *entry,
                        struct fum_unet_block *block) {
    bool list = cJSON_IsArray(entry);
    if (list && cJSON_GetArraySize(entry) < block->layers)
        fum_config_fail(c, key, "has %d entries for a block of %d layers",
                        cJSON_GetArraySize(entry), block->layers);
    for (int i = 0; i < block->layers && !c->result; i++) {
        const cJSON *one = list ? cJSON_GetArrayItem(entry, i) : entry;
        double depth = cJSON_IsNumber(one) ? one->valuedouble : -1;
        bool whole = depth >= 0 && depth <= MAX_DEPTH && depth == (double)(int)depth;
        if (!whole) fum_config_fail(c, key, "must hold whole numbers from 0 to %d", MAX_DEPTH);
        block->depth[i] = whole ? (int)depth : 0;
    }
}

static void parse_depths(struct fum_config *c, struct fum_unet_config *u) {
    static const char key[] = "transformer_layers_per_block",
                      reverse[] = "reverse_transformer_layers_per_block";
    const cJSON *depth = cJSON_GetObjectItemCaseSensitive(c->json, key);
    const cJSON *up =
        fum_config_has(c, reverse) ? cJSON_GetObjectItemCaseSensitive(c->json, reverse) : NULL;
    cJSON *one = cJSON_CreateNumber(1); // the default
    if (!depth || cJSON_IsNull(depth)) depth = one;
    int n = u->num_blocks;
    bool list = cJSON_IsArray(depth);
    if (list && cJSON_GetArraySize(depth) != n)
        fum_config_fail(c, key, "has %d entries where the model has %d blocks",
                        cJSON_GetArraySize(depth), n);
    if (up && (!cJSON_IsArray(up) || cJSON_GetArraySize(up) != n))
        fum_config_fail(c, reverse, "must list %d blocks", n);
    for (int i = 0; i < n && !c->result; i++) {
        const cJSON *mirrored = list ? cJSON_GetArrayItem(depth, n - 1 - i) : depth;
        parse_depth(c, key, list ? cJSON_GetArrayItem(depth, i) : depth, &u->down[i]);
        if (!up && cJSON_IsArray(mirrored))
            fum_config_fail(c, reverse, "is missing; lists of depths need it");
        if (up) mirrored = cJSON_GetArrayItem(up, i);
        parse_depth(c, up ? reverse : key, mirrored, &u->up[i]);
    }
    if (!c->result) u->mid_depth = u->down[n - 1].depth[0];
    cJSON_Delete(one);
}

static void parse_mid(struct fum_config *c, struct fum_unet_config *u) {
    // Absent is the usual block; null is no block.
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->json, "mid_block_type");
    const char *name = item ? cJSON_GetStringValue(item) : "UNetMidBlock2DCrossAttn";
    if (!name && cJSON_IsNull(item))
        u->mid = FUM_UNET_MID_NONE;
    else if (name && !strcmp(name, "UNetMidBlock2DCrossAttn"))
        u->mid = FUM_UNET_MID_ATTENTION;
    else if (name && !strcmp(name, "UNetMidBlock2D"))
        u->mid = FUM_UNET_MID_RESNET;
    else
        fum_config_unsupported(c, "mid_block_type");
}

static void parse_only_cross(struct fum_config *c, struct fum_unet_config *u) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->json, "only_cross_attention");
    int n = u->num_blocks;
    if (cJSON_IsArray(item) && cJSON_GetArraySize(item) != n)
        fum_config_fail(c, "only_cross_attention", "must list %d blocks", n);
    for (int i = 0; i < n; i++) {
        const cJSON *one = cJSON_IsArray(item) ? cJSON_GetArrayItem(item, i) : item;
        if (one && !cJSON_IsBool(one) && !cJSON_IsNull(one))
            fum_config_fail(c, "only_cross_attention", "must be true or false, or a list of them");
        u->down[i].only_cross = u->up[n - 1 - i].only_cross = cJSON_IsTrue(one);
    }
}

// Channels, layers, heads and context of every level, for both ways.
static void parse_levels(struct fum_config *c, struct fum_unet_config *u) {
    int n = u->num_blocks;
    int channels[FUM_UNET_MAX_BLOCKS], layers[FUM_UNET_MAX_BLOCKS], heads[FUM_UNET_MAX_BLOCKS];
    int context[FUM_UNET_MAX_BLOCKS];
    const char *heads_key =
        fum_config_has(c, "num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
    fum_config_ints(c, "block_out_channels",
                    &(struct fum_config_list){channels, n, 0, 1, MAX_CHANNELS});
    fum_config_ints(c, "layers_per_block",
                    &(struct fum_config_list){layers, n, 2, 1, FUM_UNET_MAX_LAYERS - 1});
    fum_config_ints(c, heads_key, &(struct fum_config_list){heads, n, 8, 1, MAX_CHANNELS});
    fum_config_ints(c, "cross_attention_dim",
                    &(struct fum_config_list){context, n, 1280, 1, MAX_CHANNELS});
    for (int i = 0; i < n && !c->result; i++) {
        if (u->groups && channels[i] % u->groups)
            fum_config_fail(c, "norm_num_groups", "is %d, which does not divide %d channels",
                            u->groups, channels[i]);
        if ((u->down[i].attention || u->up[n - 1 - i].attention || i == n - 1) &&
            heads[i] > channels[i])
            fum_config_fail(c, heads_key, "is %d heads, more than the %d channels", heads[i],
                            channels[i]);
        if (context[i] != context[0]) fum_config_unsupported(c, "cross_attention_dim");
        struct fum_unet_block *ways[2] = {&u->down[i], &u->up[n - 1 - i]};
        for (int way = 0; way < 2; way++) {
            ways[way]->channels = channels[i];
            ways[way]->layers = layers[i] + way; // up blocks have one more
            ways[way]->heads = heads[i];
            ways[way]->context_channels = context[i];
        }
    }
}

void fum_unet_config_shared(struct fum_config *c, struct fum_unet_config *u) {
    int size[2]; // height and width, or one number for both
    fum_config_ints(c, "sample_size", &(struct fum_config_list){size, 2, 0, 1, 1 << 16});
    u->sample_height = size[0], u->sample_width = size[1];
    u->conv_in_kernel = fum_config_int(c, "conv_in_kernel", 3, 1, 15);
    u->conv_out_kernel = fum_config_int(c, "conv_out_kernel", 3, 1, 15);
    u->downsample_pad = fum_config_int(c, "downsample_padding", 1, 0, 1);
    // Absent is the default; null is no norm behind the last block, which K blocks alone can do.
    bool no_norm =
        u->k_levels && cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(c->json, "norm_num_groups"));
    u->groups = no_norm ? 0 : fum_config_int(c, "norm_num_groups", 32, 1, MAX_CHANNELS);
    u->eps = fum_config_number(c, "norm_eps", 1e-5, 0, 1);
    u->center_input = fum_config_bool(c, "center_input_sample", false);
    u->mid_scale = fum_config_number(c, "mid_block_scale_factor", 1, 1e-6, 1e6);
    const char *shift = fum_config_string(c, "resnet_time_scale_shift", "default");
    u->scale_shift = !strcmp(shift, "scale_shift");
    if (!u->scale_shift && strcmp(shift, "default"))
        fum_config_unsupported(c, "resnet_time_scale_shift");
    u->flip_sin_to_cos = fum_config_bool(c, "flip_sin_to_cos", true);
    u->freq_shift = fum_config_number(c, "freq_shift", 0, -1, 1);
}

static bool has_k_levels(const cJSON *json) {
    const cJSON *types = cJSON_GetObjectItemCaseSensitive(json, "down_block_types");
    const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(types, 0));
    return first && first[0] == 'K';
}

// Reads the levels' kinds on both ways.
static void parse_all_types(struct fum_config *c, struct fum_unet_config *u) {
    static const struct block_types down[] = {{"CrossAttnDownBlock2D", "DownBlock2D"},
                                              {"KCrossAttnDownBlock2D", "KDownBlock2D"}},
                                    up[] = {{"CrossAttnUpBlock2D", "UpBlock2D"},
                                            {"KCrossAttnUpBlock2D", "KUpBlock2D"}};
    parse_types(c, "down_block_types", &down[u->k_levels], u->down, u->num_blocks);
    parse_types(c, "up_block_types", &up[u->k_levels], u->up, u->num_blocks);
}

enum fum_result fum_unet_config_parse(struct fum_unet_config *u, const cJSON *json,
                                      const char *where, struct fum_error *err) {
    struct fum_config c = {.json = json, .where = where, .err = err};
    *u = (struct fum_unet_config){0};
    u->k_levels = has_k_levels(json);
    refuse_others(&c, u->k_levels);
    u->num_blocks = fum_config_list(&c, "block_out_channels", FUM_UNET_MAX_BLOCKS);
    if (!u->num_blocks)
        fum_config_fail(&c, "block_out_channels", "is missing: this is no UNet2DConditionModel");
    u->in_channels = fum_config_int(&c, "in_channels", 4, 1, 4096);
    u->out_channels = fum_config_int(&c, "out_channels", 4, 1, 4096);
    fum_unet_config_shared(&c, u);
    u->mid_resnet_groups = u->groups;
    parse_mid(&c, u);
    if (c.result) return c.result;
    parse_all_types(&c, u);
    parse_levels(&c, u);
    parse_only_cross(&c, u);
    if (!c.result) parse_depths(&c, u);
    if (u->k_levels)
        fum_unet_k_config(&c, u);
    else
        parse_embeddings(&c, u, u->down[0].channels);
    u->context_proj = fum_config_int(&c, "encoder_hid_dim", 0, 1, MAX_CHANNELS);
    if (!u->context_proj && fum_config_has(&c, "encoder_hid_dim_type"))
        fum_config_fail(&c, "encoder_hid_dim", "is missing; encoder_hid_dim_type needs it");
    u->context_channels = u->context_proj ? u->context_proj : u->down[0].context_channels;
    return c.result;
}
