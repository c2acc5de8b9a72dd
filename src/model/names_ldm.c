// SPDX-License-Identifier: MIT
// Names tensors of the original layout (latent-diffusion, "LDM"): its UNet and its VAE.
#include "model/names_layout.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BLOCKS = 16, MAX_LAYERS = 64 };

static const struct fum_name_rule unet_plain[] = {
    {"time_embedding.linear_1", "time_embed.0"},
    {"time_embedding.linear_2", "time_embed.2"},
    {"time_embedding.cond_proj", "time_embed.cond_proj"},
    {"add_embedding.linear_1", "label_emb.0.0"},
    {"add_embedding.linear_2", "label_emb.0.2"},
    {"class_embedding.linear_1", "label_emb.0.0"},
    {"class_embedding.linear_2", "label_emb.0.2"},
    {"class_embedding", "label_emb"},
    {"conv_in", "input_blocks.0.0"},
    {"conv_norm_out", "out.0"},
    {"conv_out", "out.2"},
    {NULL, NULL},
};
static const struct fum_name_rule unet_resnet[] = {
    {"norm1", "in_layers.0"},
    {"conv1", "in_layers.2"},
    {"time_emb_proj", "emb_layers.1"},
    {"norm2", "out_layers.0"},
    {"conv2", "out_layers.3"},
    {"conv_shortcut", "skip_connection"},
    {NULL, NULL},
};
static const struct fum_name_rule vae_resnet[] = {
    {"norm1", "norm1"},
    {"conv1", "conv1"},
    {"norm2", "norm2"},
    {"conv2", "conv2"},
    {"conv_shortcut", "nin_shortcut"},
    {NULL, NULL},
};
static const struct fum_name_rule vae_attention[] = {
    {"group_norm", "norm"},   {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"},
    {"to_out.0", "proj_out"}, {NULL, NULL},
};

static bool add_module(fum_names *names, const struct fum_name_rule *rules, char *from, char *to) {
    if (!from || !to ||
        !fum_grow((void **)&names->modules, &names->capacity, names->count, sizeof *names->modules))
        return false;
    names->modules[names->count++] = (struct fum_name_module){from, to, rules};
    return true;
}

#define ADD(rules, from, ...) \
    add_module(names, rules, from, fum_arena_printf(names->arena, __VA_ARGS__))
#define NAME(...) fum_arena_printf(names->arena, __VA_ARGS__)

// The shape of a UNet, as far as names depend on it.
struct unet_shape {
    int blocks, layers[MAX_BLOCKS];
    bool down_attention[MAX_BLOCKS], up_attention[MAX_BLOCKS];
};

static bool list_entry_is(const cJSON *list, int i, const char *text) {
    const cJSON *item = cJSON_GetArrayItem(list, i);
    return cJSON_IsString(item) && !strcmp(item->valuestring, text);
}

static bool read_unet_shape(const cJSON *config, struct unet_shape *shape) {
    const cJSON *channels = cJSON_GetObjectItemCaseSensitive(config, "block_out_channels");
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(config, "layers_per_block");
    const cJSON *down = cJSON_GetObjectItemCaseSensitive(config, "down_block_types");
    const cJSON *up = cJSON_GetObjectItemCaseSensitive(config, "up_block_types");
    shape->blocks = cJSON_GetArraySize(channels);
    if (shape->blocks < 1 || shape->blocks > MAX_BLOCKS) return false;
    for (int i = 0; i < shape->blocks; i++) {
        const cJSON *item = cJSON_IsArray(layers) ? cJSON_GetArrayItem(layers, i) : layers;
        double n = item ? item->valuedouble : 2;
        if (!(n >= 1 && n <= MAX_LAYERS)) return false;
        shape->layers[i] = (int)n;
        shape->down_attention[i] = list_entry_is(down, i, "CrossAttnDownBlock2D");
        shape->up_attention[i] = list_entry_is(up, i, "CrossAttnUpBlock2D");
    }
    return true;
}

// The layers of one level of a UNet, on the way down or up.
struct unet_level {
    const char *from, *to; // "down_blocks", "input_blocks"
    int index, layers;
    bool attention;
};

// Adds the layers of a level, which LDM numbers from *at on: a resnet, then an attention.
static bool add_unet_level(fum_names *names, const struct unet_level *l, int *at) {
    bool good = true;
    for (int j = 0; j < l->layers && good; j++, (*at)++) {
        good =
            ADD(unet_resnet, NAME("%s.%d.resnets.%d", l->from, l->index, j), "%s.%d.0", l->to, *at);
        if (good && l->attention)
            good =
                ADD(NULL, NAME("%s.%d.attentions.%d", l->from, l->index, j), "%s.%d.1", l->to, *at);
    }
    return good;
}

// Adds the way down. A down-sampling takes a number of its own.
static bool add_unet_down(fum_names *names, const struct unet_shape *s) {
    bool good = true;
    int at = 1;
    for (int i = 0; i < s->blocks && good; i++) {
        good = add_unet_level(names,
                              &(struct unet_level){.from = "down_blocks",
                                                   .to = "input_blocks",
                                                   .index = i,
                                                   .layers = s->layers[i],
                                                   .attention = s->down_attention[i]},
                              &at);
        if (good && i + 1 < s->blocks)
            good = ADD(NULL, NAME("down_blocks.%d.downsamplers.0.conv", i), "input_blocks.%d.0.op",
                       at++);
    }
    return good;
}

// Adds the way up. An up-sampling stands behind the last layer of its level.
static bool add_unet_up(fum_names *names, const struct unet_shape *s) {
    bool good = true;
    int at = 0;
    for (int i = 0; i < s->blocks && good; i++) {
        good = add_unet_level(names,
                              &(struct unet_level){.from = "up_blocks",
                                                   .to = "output_blocks",
                                                   .index = i,
                                                   .layers = s->layers[s->blocks - 1 - i] + 1,
                                                   .attention = s->up_attention[i]},
                              &at);
        if (good && i + 1 < s->blocks)
            good = ADD(NULL, NAME("up_blocks.%d.upsamplers.0.conv", i), "output_blocks.%d.%d.conv",
                       at - 1, s->up_attention[i] ? 2 : 1);
    }
    return good;
}

static bool add_unet_modules(fum_names *names, const struct unet_shape *s) {
    return ADD(unet_resnet, NAME("mid_block.resnets.0"), "middle_block.0") &&
           ADD(NULL, NAME("mid_block.attentions.0"), "middle_block.1") &&
           ADD(unet_resnet, NAME("mid_block.resnets.1"), "middle_block.2") &&
           add_unet_down(names, s) && add_unet_up(names, s);
}

// Adds what the VAE's encoder and decoder both have.
static bool add_vae_middle(fum_names *names, const char *half) {
    return ADD(vae_resnet, NAME("%s.mid_block.resnets.0", half), "%s.mid.block_1", half) &&
           ADD(vae_resnet, NAME("%s.mid_block.resnets.1", half), "%s.mid.block_2", half) &&
           ADD(vae_attention, NAME("%s.mid_block.attentions.0", half), "%s.mid.attn_1", half) &&
           ADD(NULL, NAME("%s.conv_norm_out", half), "%s.norm_out", half) &&
           ADD(NULL, NAME("%s.conv_in", half), "%s.conv_in", half) &&
           ADD(NULL, NAME("%s.conv_out", half), "%s.conv_out", half);
}

// A level of the VAE's encoder or decoder.
struct vae_level {
    const char *way, *resize; // "encoder.down", "downsample"
    int index, number;        // in the builder's names and in the file's
    int layers;
};

static bool add_vae_level(fum_names *names, const struct vae_level *l) {
    bool good = true;
    for (int j = 0; j < l->layers && good; j++)
        good = ADD(vae_resnet, NAME("%s_blocks.%d.resnets.%d", l->way, l->index, j),
                   "%s.%d.block.%d", l->way, l->number, j);
    return good && ADD(NULL, NAME("%s_blocks.%d.%srs.0.conv", l->way, l->index, l->resize),
                       "%s.%d.%s.conv", l->way, l->number, l->resize);
}

static bool add_vae_modules(fum_names *names, int blocks, int layers) {
    bool good = add_vae_middle(names, "encoder") && add_vae_middle(names, "decoder");
    for (int i = 0; i < blocks && good; i++) {
        const struct vae_level down = {"encoder.down", "downsample", i, i, layers},
                               up = {"decoder.up", "upsample", i, blocks - 1 - i, layers + 1};
        good = add_vae_level(names, &down) && add_vae_level(names, &up);
    }
    return good && ADD(NULL, NAME("quant_conv"), "quant_conv") &&
           ADD(NULL, NAME("post_quant_conv"), "post_quant_conv");
}

static enum fum_result no_blocks(const fum_names *names, const char *whose, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: the %s's configuration has no usable blocks",
                         fum_loader_path(names->loader), whose);
}

static enum fum_result no_memory(const fum_names *names, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its tensors' names",
                         fum_loader_path(names->loader));
}

static enum fum_result prepare_unet(fum_names *names, const cJSON *config, struct fum_error *err) {
    struct unet_shape shape;
    if (!read_unet_shape(config, &shape)) return no_blocks(names, "UNet", err);
    return add_unet_modules(names, &shape) ? FUM_OK : no_memory(names, err);
}

// Adds the modules that a ControlNet has beside the way down of a UNet. The last number of the
// picture's embedding is that of its conv_out; activations lie between.
static bool add_control_modules(fum_names *names) {
    int last = 0;
    while (fum_loader_dim(names->loader, names->prefix, 0, "input_hint_block.%d.weight", last + 2))
        last += 2;
    bool good =
        ADD(NULL, NAME("controlnet_cond_embedding.conv_in"), "input_hint_block.0") &&
        ADD(NULL, NAME("controlnet_cond_embedding.conv_out"), "input_hint_block.%d", last) &&
        ADD(NULL, NAME("controlnet_mid_block"), "middle_block_out.0");
    for (int at = 2; at < last && good; at += 2)
        good = ADD(NULL, NAME("controlnet_cond_embedding.blocks.%d", at / 2 - 1),
                   "input_hint_block.%d", at);
    for (int i = 0;
         good && fum_loader_dim(names->loader, names->prefix, 0, "zero_convs.%d.0.weight", i); i++)
        good = ADD(NULL, NAME("controlnet_down_blocks.%d", i), "zero_convs.%d.0", i);
    return good;
}

static enum fum_result prepare_control(fum_names *names, const cJSON *config,
                                       struct fum_error *err) {
    enum fum_result result = prepare_unet(names, config, err);
    if (result) return result;
    return add_control_modules(names) ? FUM_OK : no_memory(names, err);
}

static enum fum_result prepare_vae(fum_names *names, const cJSON *config, struct fum_error *err) {
    int blocks = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(config, "block_out_channels"));
    double layers = fum_json_number(config, "layers_per_block", 1);
    if (blocks < 1 || blocks > MAX_BLOCKS || !(layers >= 1 && layers <= MAX_LAYERS))
        return no_blocks(names, "VAE", err);
    return add_vae_modules(names, blocks, (int)layers) ? FUM_OK : no_memory(names, err);
}

// Renames a tensor of a listed module. *listed: its module is listed.
static bool rename_in_modules(const fum_names *names, const char *name, struct fum_file_name *out,
                              bool *listed) {
    char head[FUM_NAMES_MAX];
    *listed = false;
    for (size_t i = 0; i < names->count && !*listed; i++) {
        const struct fum_name_module *m = &names->modules[i];
        const char *rest = fum_name_below(name, m->from);
        if (!rest) continue;
        *listed = true;
        snprintf(head, sizeof head, "%s%s.", names->prefix, m->to);
        if (m->rules) return fum_name_apply(m->rules, head, rest, out);
        int n = snprintf(out->text, sizeof out->text, "%s%s", head, rest);
        return n > 0 && (size_t)n < sizeof out->text;
    }
    return false;
}

static bool rename_unet(const fum_names *names, const char *name, struct fum_file_name *out) {
    bool listed, renamed = rename_in_modules(names, name, out, &listed);
    return listed ? renamed : fum_name_apply(unet_plain, names->prefix, name, out);
}

static bool rename_vae(const fum_names *names, const char *name, struct fum_file_name *out) {
    bool listed;
    return rename_in_modules(names, name, out, &listed);
}

const struct fum_names_layout fum_layout_ldm_unet = {prepare_unet, rename_unet};
const struct fum_names_layout fum_layout_ldm_control = {prepare_control, rename_unet};
const struct fum_names_layout fum_layout_ldm_vae = {prepare_vae, rename_vae};
