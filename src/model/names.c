// SPDX-License-Identifier: MIT
#include "model/names.h"

#include "base/error.h"
#include "model/scales.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 512, MAX_BLOCKS = 16, MAX_LAYERS = 64 };

struct rule {
    const char *from, *to;
};

// A module of the builders' naming and the file's name for it. Below it, `rules` rename its
// children; without rules they keep their names.
struct module {
    char *from, *to;
    const struct rule *rules;
};

enum layout { LAYOUT_DIFFUSERS, LAYOUT_LDM_UNET, LAYOUT_LDM_VAE, LAYOUT_OPENCLIP };

struct fum_names {
    const fum_loader *loader;
    fum_arena *arena;
    const char *part, *prefix;
    enum layout layout;
    struct module *modules;
    size_t count, capacity;
    uint8_t *projection; // OpenCLIP's text_projection, transposed
    struct fum_view projection_view;
    size_t projection_index;
    fum_scales *scales;
};

// Where a part may be, most specific first, and a tensor that shows it.
static const struct {
    const char *part, *prefix, *probe;
    enum layout layout;
} places[] = {
    {"unet", "model.diffusion_model.", "input_blocks.0.0.weight", LAYOUT_LDM_UNET},
    {"unet", "", "input_blocks.0.0.weight", LAYOUT_LDM_UNET},
    {"unet", "", "conv_in.weight", LAYOUT_DIFFUSERS},
    {"unet", "unet.", "conv_in.weight", LAYOUT_DIFFUSERS},
    {"vae", "first_stage_model.", "decoder.mid.block_1.conv1.weight", LAYOUT_LDM_VAE},
    {"vae", "vae.", "decoder.mid.block_1.conv1.weight", LAYOUT_LDM_VAE},
    {"vae", "", "decoder.mid.block_1.conv1.weight", LAYOUT_LDM_VAE},
    {"vae", "", "decoder.mid_block.resnets.0.conv1.weight", LAYOUT_DIFFUSERS},
    {"vae", "vae.", "decoder.mid_block.resnets.0.conv1.weight", LAYOUT_DIFFUSERS},
    {"text_encoder", "cond_stage_model.transformer.", "text_model.final_layer_norm.weight",
     LAYOUT_DIFFUSERS},
    {"text_encoder", "cond_stage_model.transformer.", "final_layer_norm.weight", LAYOUT_DIFFUSERS},
    {"text_encoder", "cond_stage_model.model.", "ln_final.weight", LAYOUT_OPENCLIP},
    {"text_encoder", "conditioner.embedders.0.transformer.", "text_model.final_layer_norm.weight",
     LAYOUT_DIFFUSERS},
    {"text_encoder", "conditioner.embedders.0.transformer.", "final_layer_norm.weight",
     LAYOUT_DIFFUSERS},
    {"text_encoder", "", "text_model.final_layer_norm.weight", LAYOUT_DIFFUSERS},
    {"text_encoder", "", "final_layer_norm.weight", LAYOUT_DIFFUSERS},
    {"text_encoder_2", "conditioner.embedders.1.model.", "ln_final.weight", LAYOUT_OPENCLIP},
    {"text_encoder_2", "conditioner.embedders.0.model.", "ln_final.weight", LAYOUT_OPENCLIP},
    {"text_encoder_2", "", "text_model.final_layer_norm.weight", LAYOUT_DIFFUSERS},
    {"text_encoder_2", "", "final_layer_norm.weight", LAYOUT_DIFFUSERS},
};

static const struct rule unet_plain[] = {
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
static const struct rule unet_resnet[] = {
    {"norm1", "in_layers.0"},
    {"conv1", "in_layers.2"},
    {"time_emb_proj", "emb_layers.1"},
    {"norm2", "out_layers.0"},
    {"conv2", "out_layers.3"},
    {"conv_shortcut", "skip_connection"},
    {NULL, NULL},
};
static const struct rule vae_resnet[] = {
    {"norm1", "norm1"},
    {"conv1", "conv1"},
    {"norm2", "norm2"},
    {"conv2", "conv2"},
    {"conv_shortcut", "nin_shortcut"},
    {NULL, NULL},
};
static const struct rule vae_attention[] = {
    {"group_norm", "norm"},   {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"},
    {"to_out.0", "proj_out"}, {NULL, NULL},
};
// What diffusers called them before 0.15, in files of its own layout.
static const struct rule old_attention[] = {
    {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}, {NULL, NULL},
};
static const struct rule openclip_plain[] = {
    {"embeddings.token_embedding", "token_embedding"},
    {"final_layer_norm", "ln_final"},
    {NULL, NULL},
};
static const struct rule openclip_layer[] = {
    {"layer_norm1", "ln_1"},
    {"layer_norm2", "ln_2"},
    {"mlp.fc1", "mlp.c_fc"},
    {"mlp.fc2", "mlp.c_proj"},
    {"self_attn.out_proj", "attn.out_proj"},
    {NULL, NULL},
};

// What follows `start` in `text` after a dot; NULL when it does not begin so.
static const char *below(const char *text, const char *start) {
    size_t n = strlen(start);
    return !strncmp(text, start, n) && text[n] == '.' ? text + n + 1 : NULL;
}

// "<head><to>.<rest>" when a rule names what `text` begins with.
static bool apply(const struct rule *rules, const char *head, const char *text, char *out,
                  size_t room) {
    for (; rules->from; rules++) {
        const char *rest = below(text, rules->from);
        if (!rest) continue;
        int n = snprintf(out, room, "%s%s.%s", head, rules->to, rest);
        return n > 0 && (size_t)n < room;
    }
    return false;
}

static bool add_module(fum_names *names, const struct rule *rules, char *from, char *to) {
    if (!from || !to ||
        !fum_grow((void **)&names->modules, &names->capacity, names->count, sizeof *names->modules))
        return false;
    names->modules[names->count++] = (struct module){from, to, rules};
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

// LDM numbers the blocks of each way through: a layer (resnet, then attention) or a down-sampling
// each take one number; an up-sampling stands behind the last layer of its level.
static bool add_unet_modules(fum_names *names, const struct unet_shape *s) {
    bool good = ADD(unet_resnet, NAME("mid_block.resnets.0"), "middle_block.0") &&
                ADD(NULL, NAME("mid_block.attentions.0"), "middle_block.1") &&
                ADD(unet_resnet, NAME("mid_block.resnets.1"), "middle_block.2");
    int at = 1;
    for (int i = 0; i < s->blocks; i++) {
        for (int j = 0; j < s->layers[i]; j++, at++) {
            good = good && ADD(unet_resnet, NAME("down_blocks.%d.resnets.%d", i, j),
                               "input_blocks.%d.0", at);
            if (s->down_attention[i])
                good = good && ADD(NULL, NAME("down_blocks.%d.attentions.%d", i, j),
                                   "input_blocks.%d.1", at);
        }
        if (i + 1 < s->blocks)
            good = good && ADD(NULL, NAME("down_blocks.%d.downsamplers.0.conv", i),
                               "input_blocks.%d.0.op", at++);
    }
    at = 0;
    for (int i = 0; i < s->blocks; i++) {
        int layers = s->layers[s->blocks - 1 - i] + 1;
        for (int j = 0; j < layers; j++, at++) {
            good = good && ADD(unet_resnet, NAME("up_blocks.%d.resnets.%d", i, j),
                               "output_blocks.%d.0", at);
            if (s->up_attention[i])
                good = good && ADD(NULL, NAME("up_blocks.%d.attentions.%d", i, j),
                                   "output_blocks.%d.1", at);
        }
        if (i + 1 < s->blocks)
            good = good && ADD(NULL, NAME("up_blocks.%d.upsamplers.0.conv", i),
                               "output_blocks.%d.%d.conv", at - 1, s->up_attention[i] ? 2 : 1);
    }
    return good;
}

static bool add_vae_modules(fum_names *names, int blocks, int layers) {
    bool good = true;
    for (int side = 0; side < 2 && good; side++) {
        const char *name = side ? "decoder" : "encoder";
        good = ADD(vae_resnet, NAME("%s.mid_block.resnets.0", name), "%s.mid.block_1", name) &&
               ADD(vae_resnet, NAME("%s.mid_block.resnets.1", name), "%s.mid.block_2", name) &&
               ADD(vae_attention, NAME("%s.mid_block.attentions.0", name), "%s.mid.attn_1", name) &&
               ADD(NULL, NAME("%s.conv_norm_out", name), "%s.norm_out", name) &&
               ADD(NULL, NAME("%s.conv_in", name), "%s.conv_in", name) &&
               ADD(NULL, NAME("%s.conv_out", name), "%s.conv_out", name);
    }
    for (int i = 0; i < blocks; i++) {
        int up = blocks - 1 - i;
        for (int j = 0; j < layers; j++)
            good = good && ADD(vae_resnet, NAME("encoder.down_blocks.%d.resnets.%d", i, j),
                               "encoder.down.%d.block.%d", i, j);
        for (int j = 0; j < layers + 1; j++)
            good = good && ADD(vae_resnet, NAME("decoder.up_blocks.%d.resnets.%d", i, j),
                               "decoder.up.%d.block.%d", up, j);
        good = good &&
               ADD(NULL, NAME("encoder.down_blocks.%d.downsamplers.0.conv", i),
                   "encoder.down.%d.downsample.conv", i) &&
               ADD(NULL, NAME("decoder.up_blocks.%d.upsamplers.0.conv", i),
                   "decoder.up.%d.upsample.conv", up);
    }
    return good && ADD(NULL, NAME("quant_conv"), "quant_conv") &&
           ADD(NULL, NAME("post_quant_conv"), "post_quant_conv");
}

// transformers' nn.Linear holds [out, in]; OpenCLIP multiplies from the left and holds [in, out].
static enum fum_result transpose_projection(fum_names *names, struct fum_error *err) {
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%stext_projection", names->prefix);
    const struct fum_loader_tensor *t = fum_loader_find(names->loader, name);
    if (!t) return FUM_OK;
    if (t->view.rank != 2)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s has %d dimensions, wanted 2",
                             fum_loader_path(names->loader), name, t->view.rank);
    size_t rows = (size_t)t->view.dim[0], columns = (size_t)t->view.dim[1],
           size = fum_dtype_size(t->view.dtype);
    struct fum_view view = t->view;
    void *copy = NULL;
    names->projection = fum_alloc((size_t)t->bytes, 1);
    if (!names->projection)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for tensor %s",
                             fum_loader_path(names->loader), name);
    enum fum_result result = fum_view_load(&view, t->bytes, &copy, err);
    if (result) return result;
    const uint8_t *from = view.data;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            memcpy(names->projection + (j * rows + i) * size, from + (i * columns + j) * size,
                   size);
    fum_free(copy);
    names->projection_view = (struct fum_view){.dtype = view.dtype,
                                               .rank = 2,
                                               .dim = {(int64_t)columns, (int64_t)rows},
                                               .data = names->projection};
    names->projection_index = fum_loader_index(names->loader, t);
    return FUM_OK;
}

static bool find_place(const fum_loader *loader, const char *part, const char **prefix,
                       enum layout *layout) {
    char name[MAX_NAME];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(places[i].part, part)) continue;
        snprintf(name, sizeof name, "%s%s", places[i].prefix, places[i].probe);
        if (!fum_loader_find(loader, name)) continue;
        *prefix = places[i].prefix;
        *layout = places[i].layout;
        return true;
    }
    return false;
}

bool fum_names_has_part(const fum_loader *loader, const char *part) {
    const char *prefix;
    enum layout layout;
    return find_place(loader, part, &prefix, &layout);
}

// The part is not there; when other tensors of it are, then what shows it is missing, and has a
// name.
static enum fum_result no_part(const fum_loader *loader, const char *part, struct fum_error *err) {
    const char *path = fum_loader_path(loader);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!strcmp(places[i].part, part) && places[i].prefix[0] &&
            fum_loader_count_prefix(loader, places[i].prefix, NULL))
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: tensor %s%s is missing; get the file again", path,
                                 places[i].prefix, places[i].probe);
    return fum_error_set(
        err, FUM_ERR_FORMAT,
        "%s: holds no %s under names that are known (of diffusers, or of the original layout)",
        path, part);
}

static enum fum_result add_modules(fum_names *names, const cJSON *config, struct fum_error *err) {
    const char *path = fum_loader_path(names->loader);
    bool good = true;
    if (names->layout == LAYOUT_LDM_UNET) {
        struct unet_shape shape;
        if (!read_unet_shape(config, &shape))
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: the UNet's configuration has no usable blocks", path);
        good = add_unet_modules(names, &shape);
    } else if (names->layout == LAYOUT_LDM_VAE) {
        int blocks =
            cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(config, "block_out_channels"));
        double layers = fum_json_number(config, "layers_per_block", 1);
        if (blocks < 1 || blocks > MAX_BLOCKS || !(layers >= 1 && layers <= MAX_LAYERS))
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: the VAE's configuration has no usable blocks", path);
        good = add_vae_modules(names, blocks, (int)layers);
    } else if (names->layout == LAYOUT_OPENCLIP) {
        return transpose_projection(names, err);
    }
    return good ? FUM_OK
                : fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its tensors' names", path);
}

enum fum_result fum_names_create(fum_names **names, const fum_loader *loader, const char *part,
                                 const cJSON *config, struct fum_error *err) {
    const char *path = fum_loader_path(loader);
    enum fum_result result = FUM_OK;
    fum_names *n = fum_calloc(1, sizeof *n);
    *names = n;
    if (n) n->arena = fum_arena_create();
    if (n && n->arena) n->part = fum_arena_strdup(n->arena, part);
    if (!n || !n->part) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its tensors' names", path);
    } else {
        n->loader = loader;
        result = find_place(loader, part, &n->prefix, &n->layout) ? add_modules(n, config, err)
                                                                  : no_part(loader, part, err);
        if (!result) result = fum_scales_create(&n->scales, loader, n->prefix, err);
    }
    if (result) fum_names_destroy(names);
    return result;
}

void fum_names_destroy(fum_names **names) {
    if (!names || !*names) return;
    fum_names *n = *names;
    fum_free(n->projection);
    fum_free(n->modules);
    fum_scales_destroy(&n->scales);
    fum_arena_destroy(&n->arena);
    fum_free(n);
    *names = NULL;
}

static bool in_modules(const fum_names *names, const char *name, char *out, size_t room) {
    char head[MAX_NAME];
    for (size_t i = 0; i < names->count; i++) {
        const struct module *m = &names->modules[i];
        const char *rest = below(name, m->from);
        if (!rest) continue;
        snprintf(head, sizeof head, "%s%s.", names->prefix, m->to);
        if (m->rules) return apply(m->rules, head, rest, out, room);
        int n = snprintf(out, room, "%s%s", head, rest);
        return n > 0 && (size_t)n < room;
    }
    return names->layout == LAYOUT_LDM_UNET && apply(unet_plain, names->prefix, name, out, room);
}

// text_model.encoder.layers.3.… to transformer.resblocks.3.…; *third is 0, 1 or 2 when the answer
// is the q, k or v third of the tensor `out`, else -1.
static bool in_openclip(const fum_names *names, const char *name, char *out, size_t room,
                        int *third) {
    static const char *const parts[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    const char *rest = below(name, "text_model");
    if (rest) name = rest;
    if (!strcmp(name, "embeddings.position_embedding.weight")) {
        snprintf(out, room, "%spositional_embedding", names->prefix);
        return true;
    }
    if (!strcmp(name, "text_projection.weight")) {
        // Files written by diffusers' script keep transformers' layer, which is not transposed.
        snprintf(out, room, "%stext_projection.weight", names->prefix);
        if (!fum_loader_find(names->loader, out))
            snprintf(out, room, "%stext_projection", names->prefix);
        return true;
    }
    rest = below(name, "encoder.layers");
    if (!rest) return apply(openclip_plain, names->prefix, name, out, room);
    size_t digits = strspn(rest, "0123456789");
    if (!digits || digits > 4 || rest[digits] != '.') return false;
    char head[MAX_NAME];
    snprintf(head, sizeof head, "%stransformer.resblocks.%.*s.", names->prefix, (int)digits, rest);
    rest += digits + 1;
    for (int i = 0; i < 3; i++) {
        const char *kind = below(rest, parts[i]);
        if (!kind) continue;
        *third = i;
        snprintf(out, room, "%sattn.in_proj_%s", head, kind);
        return true;
    }
    return apply(openclip_layer, head, rest, out, room);
}

static const struct fum_loader_tensor *get(const fum_names *names, const char *name) {
    char full[MAX_NAME];
    int n = snprintf(full, sizeof full, "%s%s", names->prefix, name);
    return n > 0 && (size_t)n < sizeof full ? fum_loader_find(names->loader, full) : NULL;
}

// The file's own naming, with what differs between versions of transformers and of diffusers.
static const struct fum_loader_tensor *find_same(const fum_names *names, const char *name) {
    char other[MAX_NAME];
    const struct fum_loader_tensor *t = get(names, name);
    if (t) return t;
    if (!strncmp(names->part, "text_encoder", 12)) {
        const char *rest = below(name, "text_model");
        if (rest) return get(names, rest);
        int n = snprintf(other, sizeof other, "text_model.%s", name);
        return n > 0 && (size_t)n < sizeof other ? get(names, other) : NULL;
    }
    const char *attention = strcmp(names->part, "vae") ? NULL : strstr(name, ".attentions.0.");
    if (!attention) return NULL;
    attention += strlen(".attentions.0.");
    char head[MAX_NAME];
    int n = snprintf(head, sizeof head, "%.*s", (int)(attention - name), name);
    if (n < 0 || (size_t)n >= sizeof head) return NULL;
    return apply(old_attention, head, attention, other, sizeof other) ? get(names, other) : NULL;
}

// The first, second or third third of a fused tensor's rows.
static bool take_third(struct fum_view *view, int third) {
    if (view->rank < 1 || view->dim[0] % 3) return false;
    view->dim[0] /= 3;
    size_t bytes = fum_dtype_size(view->dtype);
    for (int i = 0; i < view->rank; i++) bytes *= (size_t)view->dim[i];
    fum_view_skip(view, (uint64_t)third * bytes);
    return true;
}

bool fum_names_find(const fum_names *names, const char *name, struct fum_view *view,
                    size_t *index) {
    char file_name[MAX_NAME];
    int third = -1;
    const struct fum_loader_tensor *t = NULL;
    if (names->layout == LAYOUT_DIFFUSERS)
        t = find_same(names, name);
    else if (names->layout == LAYOUT_OPENCLIP
                 ? in_openclip(names, name, file_name, sizeof file_name, &third)
                 : in_modules(names, name, file_name, sizeof file_name))
        t = fum_loader_find(names->loader, file_name);
    if (!t) return false;
    if (index) *index = fum_loader_index(names->loader, t);
    *view = t->view;
    fum_scales_apply(names->scales, fum_loader_index(names->loader, t), view);
    if (third >= 0) return take_third(view, third);
    if (names->projection && fum_loader_index(names->loader, t) == names->projection_index)
        *view = names->projection_view;
    // LDM's attention in the VAE is of 1x1 convolutions.
    bool linear = !strcmp(names->part, "vae") && strstr(name, ".attentions.");
    while (linear && view->rank > 2 && view->dim[view->rank - 1] == 1) view->rank--;
    return true;
}

static bool source_find(void *user, const char *name, struct fum_view *view) {
    return fum_names_find(user, name, view, NULL);
}

struct fum_weight_source fum_names_source(const fum_names *names) {
    // The callbacks' argument is not const, but nothing is written through it.
    return (struct fum_weight_source){source_find, (void *)(uintptr_t)names};
}

const char *fum_names_in_file(const fum_names *names, const char *name, char *text, size_t room) {
    int third = -1;
    bool known = false;
    if (names->layout == LAYOUT_OPENCLIP)
        known = in_openclip(names, name, text, room, &third);
    else if (names->layout != LAYOUT_DIFFUSERS)
        known = in_modules(names, name, text, room);
    if (!known)
        snprintf(text, room, "%s%s", names->layout == LAYOUT_DIFFUSERS ? names->prefix : "", name);
    return text;
}

bool fum_names_owns(const fum_names *names, size_t index) {
    const char *name = fum_loader_at(names->loader, index)->name;
    return !strncmp(name, names->prefix, strlen(names->prefix));
}

bool fum_names_ignorable(const char *name) {
    // CLIP's picture half, and the projection of encoders whose pooled text nothing reads.
    static const char *const starts[] = {"model_ema.",
                                         "loss.",
                                         "first_stage_model.loss.",
                                         "cond_stage_model.model.visual.",
                                         "cond_stage_model.model.text_projection",
                                         "cond_stage_model.transformer.vision_model.",
                                         "cond_stage_model.transformer.text_projection.",
                                         "conditioner.embedders.0.transformer.text_projection.",
                                         "conditioner.embedders.1.model.visual."};
    static const char *const ends[] = {
        "position_ids",
        "logit_scale",
        "attn_mask",
        "logvar",
        "v_pred",
        "ztsnr",
        "edm_vpred.sigma_max",
        "edm_vpred.sigma_min",
        "denoiser.sigmas",
        "global_step",
        "scale_factor",
        "edm_mean",
        "edm_std",
        // Beside scaled weights: their factors, which the weights' names find; activations'
        // factors; markers.
        "scale_weight",
        "weight_scale",
        "scale_input",
        "input_scale",
        "scaled_fp8",
        "comfy_quant",
    };
    // Without a dot: the buffers of LDM's noise schedule (betas, alphas_cumprod_prev, …).
    static const char *const schedule[] = {"betas",          "alphas_",    "sqrt_",
                                           "log_one_minus_", "posterior_", "lvlb_"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncmp(name, starts[i], strlen(starts[i]))) return true;
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && !strcmp(name + n - m, ends[i]) && (n == m || name[n - m - 1] == '.'))
            return true;
    }
    for (size_t i = 0; i < sizeof schedule / sizeof *schedule && !strchr(name, '.'); i++)
        if (!strncmp(name, schedule[i], strlen(schedule[i]))) return true;
    return false;
}
