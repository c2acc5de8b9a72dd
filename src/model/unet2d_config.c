// SPDX-License-Identifier: MIT
// Reads config.json of a UNet2DModel. Easy to get wrong:
// - "attention_head_dim" is the size of a head here; null is one head over all channels.
// - The default is attention in all levels but the first.
// - With scale_shift the middle's attention has no norm unless attn_norm_num_groups is set.
// - "downsample_type" and "upsample_type" are those of blocks with attention alone.
#include "base/macros.h"
#include "model/unet_config.h"

#include <string.h>

enum { MAX_CHANNELS = 1 << 16 };

// A block of the file: its names on both ways, and what it is.
struct block_kind {
    const char *down, *up;
    enum fum_unet_attention attention;
    bool resnet; // always resized by a residual block
    bool skip;
};

static const struct block_kind kinds[] = {
    {"DownBlock2D", "UpBlock2D", FUM_UNET_NO_ATTENTION, false, false},
    {"AttnDownBlock2D", "AttnUpBlock2D", FUM_UNET_PIXELS, false, false},
    {"ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D", FUM_UNET_NO_ATTENTION, true, false},
    {"SkipDownBlock2D", "SkipUpBlock2D", FUM_UNET_NO_ATTENTION, true, true},
    {"AttnSkipDownBlock2D", "AttnSkipUpBlock2D", FUM_UNET_PIXELS, true, true},
};

static const struct block_kind *find_kind(const char *name, bool down) {
    if (!strncmp(name, "UNetRes", 7)) name += 7;
    for (size_t i = 0; i < FUM_COUNT(kinds); i++)
        if (!strcmp(down ? kinds[i].down : kinds[i].up, name)) return &kinds[i];
    return NULL;
}

// Returns true if blocks with attention resize by a residual block.
static bool parse_resize(struct fum_config *c, const char *key) {
    const char *type = fum_config_string(c, key, "conv");
    bool resnet = !strcmp(type, "resnet");
    if (!resnet && strcmp(type, "conv")) fum_config_unsupported(c, key);
    return resnet;
}

static void parse_way(struct fum_config *c, bool down, struct fum_unet_block *blocks, int count) {
    const char *key = down ? "down_block_types" : "up_block_types";
    bool resnet = parse_resize(c, down ? "downsample_type" : "upsample_type");
    bool listed = fum_config_has(c, key);
    if (listed && fum_config_list(c, key, FUM_UNET_MAX_BLOCKS) != count) {
        fum_config_fail(c, key, "must list %d blocks, one for each of block_out_channels", count);
        return;
    }
    for (int i = 0; i < count && !c->result; i++) {
        bool outermost = down ? i == 0 : i + 1 == count;
        const struct block_kind *kind = &kinds[outermost ? 0 : 1];
        if (listed) kind = find_kind(fum_config_list_string(c, key, i), down);
        if (!kind) {
            fum_config_unsupported(c, key);
            return;
        }
        blocks[i].attention = kind->attention;
        blocks[i].skip = kind->skip;
        blocks[i].resnet_resample = kind->resnet || (kind->attention && resnet);
    }
}

// Reads the size of a head; 0: all channels.
static int parse_head(struct fum_config *c) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->json, "attention_head_dim");
    return cJSON_IsNull(item) ? 0 : fum_config_int(c, "attention_head_dim", 8, 1, MAX_CHANNELS);
}

// Checks that the norms of a level fit its channels.
static void check_groups(struct fum_config *c, const struct fum_unet_config *u, int level,
                         int channels) {
    int n = u->num_blocks;
    bool skip = u->down[level].skip && u->up[n - 1 - level].skip;
    bool plain = !skip || level == 0; // conv_norm_out is of the first level
    bool fixed = (u->down[level].skip && u->down[level].attention) ||
                 (u->up[n - 1 - level].skip && u->up[n - 1 - level].attention);
    if (plain && channels % u->groups)
        fum_config_fail(c, "norm_num_groups", "is %d, which does not divide %d channels", u->groups,
                        channels);
    if (level + 1 == n && u->mid != FUM_UNET_MID_NONE && channels % u->mid_resnet_groups)
        fum_config_fail(c, "norm_num_groups", "is %d, which does not divide %d channels",
                        u->mid_resnet_groups, channels);
    if (fixed && channels % FUM_UNET_SKIP_GROUPS)
        fum_config_fail(c, "block_out_channels",
                        "has %d channels, where AttnSkip blocks need multiples of %d", channels,
                        FUM_UNET_SKIP_GROUPS);
    if (skip && channels < 4)
        fum_config_fail(c, "block_out_channels", "has %d channels, where Skip blocks need 4",
                        channels);
}

static void parse_levels(struct fum_config *c, struct fum_unet_config *u) {
    int channels[FUM_UNET_MAX_BLOCKS], n = u->num_blocks;
    int layers = fum_config_int(c, "layers_per_block", 2, 1, FUM_UNET_MAX_LAYERS - 1);
    int head = parse_head(c);
    fum_config_ints(c, "block_out_channels",
                    &(struct fum_config_list){channels, n, 0, 1, MAX_CHANNELS});
    for (int i = 0; i < n && !c->result; i++) {
        struct fum_unet_block *ways[2] = {&u->down[i], &u->up[n - 1 - i]};
        int size = head ? head : channels[i];
        bool attends = ways[0]->attention || ways[1]->attention ||
                       (i == n - 1 && u->mid == FUM_UNET_MID_PIXELS);
        check_groups(c, u, i, channels[i]);
        if (attends && size > channels[i])
            fum_config_fail(c, "attention_head_dim", "is %d, more than the %d channels", size,
                            channels[i]);
        for (int way = 0; way < 2; way++) {
            ways[way]->channels = channels[i];
            ways[way]->layers = layers + way; // up blocks have one more
            ways[way]->heads = channels[i] / size;
            ways[way]->inner = channels[i] / size * size;
        }
    }
}

// Sets the groups of norms. null stands for a quarter of the channels, at most 32. Those of the
// first level count for the last norm, and those of the last level for the middle.
static void parse_groups(struct fum_config *c, struct fum_unet_config *u) {
    u->mid_resnet_groups = u->groups;
    if (!cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(c->json, "norm_num_groups"))) return;
    int channels[FUM_UNET_MAX_BLOCKS] = {0};
    fum_config_ints(c, "block_out_channels",
                    &(struct fum_config_list){channels, u->num_blocks, 0, 1, MAX_CHANNELS});
    u->groups = fum_unet_skip_groups(channels[0]);
    u->mid_resnet_groups = fum_unet_skip_groups(channels[u->num_blocks - 1]);
}

static void parse_mid(struct fum_config *c, struct fum_unet_config *u) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->json, "mid_block_type");
    fum_config_only(c, "mid_block_type", 0, "UNetMidBlock2D");
    bool attention = fum_config_bool(c, "add_attention", true);
    u->mid = attention ? FUM_UNET_MID_PIXELS : FUM_UNET_MID_PAIR;
    if (cJSON_IsNull(item)) u->mid = FUM_UNET_MID_NONE;
    u->mid_groups = fum_config_int(c, "attn_norm_num_groups",
                                   u->scale_shift ? 0 : u->mid_resnet_groups, 1, MAX_CHANNELS);
}

// Checks that the picture which Skip blocks add has the three channels that they have in diffusers.
static void check_skips(struct fum_config *c, const struct fum_unet_config *u) {
    bool skips = false;
    for (int i = 0; i < u->num_blocks; i++) skips = skips || u->down[i].skip || u->up[i].skip;
    if (skips && u->in_channels != 3) fum_config_unsupported(c, "in_channels");
    if (skips && u->out_channels != 3) fum_config_unsupported(c, "out_channels");
}

static void parse_activation(struct fum_config *c, struct fum_unet_config *u) {
    static const char *const names[][2] = {
        {"silu", "silu"}, {"swish", "silu"}, {"gelu", "gelu"}, {"relu", "relu"}};
    const char *name = fum_config_string(c, "act_fn", "silu");
    for (size_t i = 0; i < FUM_COUNT(names); i++)
        if (!strcmp(names[i][0], name)) u->activation = names[i][1];
    if (!u->activation) fum_config_unsupported(c, "act_fn");
}

static void parse_embeddings(struct fum_config *c, struct fum_unet_config *u) {
    const char *type = fum_config_string(c, "time_embedding_type", "positional");
    const char *label = fum_config_string(c, "class_embed_type", NULL);
    u->fourier = !strcmp(type, "fourier");
    if (!u->fourier && strcmp(type, "positional")) fum_config_unsupported(c, "time_embedding_type");
    u->time_channels =
        fum_config_int(c, "time_embedding_dim", 4 * u->down[0].channels, 1, MAX_CHANNELS);
    u->class_count = fum_config_int(c, "num_class_embeds", 0, 1, 1 << 24);
    u->class_channels = u->time_channels;
    if (!label && u->class_count) u->class_embed = FUM_UNET_CLASS_TABLE;
    if (label && !strcmp(label, "timestep")) u->class_embed = FUM_UNET_CLASS_TIMESTEP;
    if (label && !strcmp(label, "identity")) u->class_embed = FUM_UNET_CLASS_IDENTITY;
    if (label && !u->class_embed) fum_config_unsupported(c, "class_embed_type");
}

enum fum_result fum_unet2d_config_parse(struct fum_unet_config *u, const cJSON *json,
                                        const char *where, struct fum_error *err) {
    struct fum_config c = {.json = json, .where = where, .err = err};
    *u = (struct fum_unet_config){0};
    u->num_blocks = fum_config_list(&c, "block_out_channels", FUM_UNET_MAX_BLOCKS);
    if (!u->num_blocks)
        fum_config_fail(&c, "block_out_channels", "is missing: this is no UNet2DModel");
    u->in_channels = fum_config_int(&c, "in_channels", 3, 1, 4096);
    u->out_channels = fum_config_int(&c, "out_channels", 3, 1, 4096);
    fum_unet_config_shared(&c, u);
    parse_activation(&c, u);
    if (c.result) return c.result;
    parse_groups(&c, u);
    parse_mid(&c, u);
    if (c.result) return c.result;
    parse_way(&c, true, u->down, u->num_blocks);
    parse_way(&c, false, u->up, u->num_blocks);
    parse_levels(&c, u);
    check_skips(&c, u);
    parse_embeddings(&c, u);
    return c.result;
}
