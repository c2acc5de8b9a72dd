// SPDX-License-Identifier: MIT
// Finds a component's tensors in a file, wherever they may be. Layouts with names of their own are
// in names_ldm.c, names_openclip.c and names_tiny.c.
#include "model/names.h"

#include "base/error.h"
#include "base/macros.h"
#include "model/names_layout.h"

#include <stdio.h>
#include <string.h>

static bool rename_diffusers(const fum_names *names, const char *name, struct fum_file_name *out);

static const struct fum_names_layout layout_diffusers = {.rename = rename_diffusers};

// Where a component may be, most specific first, and a tensor that shows it.
static const struct {
    const char *component, *prefix, *probe;
    const struct fum_names_layout *layout;
} places[] = {
    {"unet", "model.diffusion_model.", "input_blocks.0.0.weight", &fum_layout_ldm_unet},
    {"unet", "", "input_blocks.0.0.weight", &fum_layout_ldm_unet},
    {"unet", "", "conv_in.weight", &layout_diffusers},
    {"unet", "unet.", "conv_in.weight", &layout_diffusers},
    {"control_net", "control_model.", "zero_convs.0.0.weight", &fum_layout_ldm_control},
    {"control_net", "", "zero_convs.0.0.weight", &fum_layout_ldm_control},
    {"control_net", "", "controlnet_cond_embedding.conv_in.weight", &layout_diffusers},
    {"vae", "first_stage_model.", "decoder.mid.block_1.conv1.weight", &fum_layout_ldm_vae},
    {"vae", "vae.", "decoder.mid.block_1.conv1.weight", &fum_layout_ldm_vae},
    {"vae", "", "decoder.mid.block_1.conv1.weight", &fum_layout_ldm_vae},
    {"vae", "", "decoder.mid_block.resnets.0.conv1.weight", &layout_diffusers},
    {"vae", "vae.", "decoder.mid_block.resnets.0.conv1.weight", &layout_diffusers},
    {"vae", "", "decoder.layers.0.weight", &fum_layout_tiny},
    {"vae", "", "taesd_decoder.1.weight", &fum_layout_tiny},
    {"vae", "", "decoder.1.weight", &fum_layout_tiny},
    {"vae", "", "1.weight", &fum_layout_tiny},
    {"text_encoder", "cond_stage_model.transformer.", "text_model.final_layer_norm.weight",
     &layout_diffusers},
    {"text_encoder", "cond_stage_model.transformer.", "final_layer_norm.weight", &layout_diffusers},
    {"text_encoder", "cond_stage_model.model.", "ln_final.weight", &fum_layout_openclip},
    {"text_encoder", "conditioner.embedders.0.transformer.", "text_model.final_layer_norm.weight",
     &layout_diffusers},
    {"text_encoder", "conditioner.embedders.0.transformer.", "final_layer_norm.weight",
     &layout_diffusers},
    {"text_encoder", "text_encoders.clip_l.transformer.", "text_model.final_layer_norm.weight",
     &layout_diffusers},
    {"text_encoder", "", "text_model.final_layer_norm.weight", &layout_diffusers},
    {"text_encoder", "", "final_layer_norm.weight", &layout_diffusers},
    {"text_encoder", "", "ln_final.weight", &fum_layout_openclip},
    {"text_encoder_2", "conditioner.embedders.1.model.", "ln_final.weight", &fum_layout_openclip},
    {"text_encoder_2", "conditioner.embedders.0.model.", "ln_final.weight", &fum_layout_openclip},
    {"text_encoder_2", "text_encoders.clip_g.transformer.", "text_model.final_layer_norm.weight",
     &layout_diffusers},
    {"text_encoder_2", "", "text_model.final_layer_norm.weight", &layout_diffusers},
    {"text_encoder_2", "", "final_layer_norm.weight", &layout_diffusers},
    {"text_encoder_2", "", "ln_final.weight", &fum_layout_openclip},
    {"autoencoder", "", "encoder.0.weight", &layout_diffusers},
    {"autoencoder", "", "q.1.hidden.weight", &layout_diffusers},
    {"vqvae", "", "quantize.embedding.weight", &layout_diffusers},
};

const char *fum_name_below(const char *text, const char *start) {
    size_t n = strlen(start);
    return !strncmp(text, start, n) && text[n] == '.' ? text + n + 1 : NULL;
}

bool fum_name_apply(const struct fum_name_rule *rules, const char *head, const char *text,
                    struct fum_file_name *out) {
    for (; rules->from; rules++) {
        const char *rest = fum_name_below(text, rules->from);
        if (!rest) continue;
        int n = snprintf(out->text, sizeof out->text, "%s%s.%s", head, rules->to, rest);
        return n > 0 && (size_t)n < sizeof out->text;
    }
    return false;
}

static bool find_place(const fum_loader *loader, const char *component, const char **prefix,
                       const struct fum_names_layout **layout) {
    char name[FUM_NAMES_MAX];
    for (size_t i = 0; i < FUM_COUNT(places); i++) {
        if (strcmp(places[i].component, component)) continue;
        snprintf(name, sizeof name, "%s%s", places[i].prefix, places[i].probe);
        if (!fum_loader_find(loader, name)) continue;
        *prefix = places[i].prefix;
        *layout = places[i].layout;
        return true;
    }
    return false;
}

bool fum_names_has_component(const fum_loader *loader, const char *component) {
    const char *prefix;
    const struct fum_names_layout *layout;
    return find_place(loader, component, &prefix, &layout);
}

const char *fum_names_find_prefix(const fum_loader *loader, const char *component, bool *openclip) {
    const char *prefix = NULL;
    const struct fum_names_layout *layout = NULL;
    if (!find_place(loader, component, &prefix, &layout)) return NULL;
    *openclip = layout == &fum_layout_openclip;
    return prefix;
}

// Refuses a file without the component. If it has other tensors of the component, the error names
// the missing one.
static enum fum_result no_component(const fum_loader *loader, const char *component,
                                    struct fum_error *err) {
    const char *path = fum_loader_path(loader);
    for (size_t i = 0; i < FUM_COUNT(places); i++)
        if (!strcmp(places[i].component, component) && places[i].prefix[0] &&
            fum_loader_count_prefix(loader, places[i].prefix, NULL))
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: tensor %s%s is missing; get the file again", path,
                                 places[i].prefix, places[i].probe);
    return fum_error_set(
        err, FUM_ERR_FORMAT,
        "%s: holds no %s under names that are known (of diffusers, or of the original layout)",
        path, component);
}

// Begins the names of a component. On failure *names is NULL.
static enum fum_result begin_names(fum_names **names, const fum_loader *loader,
                                   const char *component, struct fum_error *err) {
    fum_names *n = *names = fum_calloc(1, sizeof *n);
    if (n) n->arena = fum_arena_create();
    if (n && n->arena) n->component = fum_arena_strdup(n->arena, component);
    if (n) n->loader = loader;
    if (n && n->component) return FUM_OK;
    fum_names_destroy(names);
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its tensors' names",
                         fum_loader_path(loader));
}

enum fum_result fum_names_create(fum_names **names, const fum_loader *loader, const char *component,
                                 const cJSON *config, struct fum_error *err) {
    enum fum_result result = begin_names(names, loader, component, err);
    if (result) return result;
    fum_names *n = *names;
    if (!find_place(loader, component, &n->prefix, &n->layout))
        result = no_component(loader, component, err);
    else if (n->layout->prepare)
        result = n->layout->prepare(n, config, err);
    if (!result) result = fum_scales_create(&n->scales, loader, n->prefix, err);
    if (result) fum_names_destroy(names);
    return result;
}

enum fum_result fum_names_create_original(fum_names **names, const fum_loader *loader,
                                          const cJSON *config, struct fum_error *err) {
    enum fum_result result = begin_names(names, loader, "unet", err);
    if (result) return result;
    (*names)->prefix = "";
    (*names)->layout = &fum_layout_ldm_unet;
    result = fum_layout_ldm_unet.prepare(*names, config, err);
    if (result) fum_names_destroy(names);
    return result;
}

// Names a text encoder's tensors as transformers before version 5 did.
static bool rename_text(const fum_names *names, const char *name, struct fum_file_name *out) {
    bool inside = !strncmp(name, "text_model.", 11) || !strncmp(name, "text_projection.", 16);
    int n = snprintf(out->text, sizeof out->text, "%s%s%s", names->prefix,
                     inside ? "" : "text_model.", name);
    return n > 0 && (size_t)n < sizeof out->text;
}

static const struct fum_names_layout layout_text = {.rename = rename_text};

enum fum_result fum_names_create_single(fum_names **names, const fum_loader *loader,
                                        const struct fum_names_place *place, const cJSON *config,
                                        struct fum_error *err) {
    enum fum_result result = begin_names(names, loader, place->component, err);
    if (result) return result;
    fum_names *n = *names;
    n->prefix = fum_arena_strdup(n->arena, place->prefix);
    n->layout = place->openclip ? &fum_layout_openclip : &layout_text;
    if (!strcmp(place->component, "unet")) n->layout = &fum_layout_ldm_unet;
    if (!strcmp(place->component, "vae")) n->layout = &fum_layout_ldm_vae;
    if (!n->prefix)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the names of tensors");
    else if (n->layout->prepare && n->layout != &fum_layout_openclip)
        result = n->layout->prepare(n, config, err);
    if (result) fum_names_destroy(names);
    return result;
}

bool fum_names_rename(const fum_names *names, const char *name, struct fum_file_name *out) {
    out->third = -1;
    return names->layout->rename(names, name, out);
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

// ---- diffusers' and transformers' own names ----

// What diffusers called them before 0.15, in files of its own layout.
static const struct fum_name_rule old_attention[] = {
    {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}, {NULL, NULL},
};

// Writes prefix + start + name. True if the file has a tensor of that name.
static bool is_there(const fum_names *names, const char *start, const char *name,
                     struct fum_file_name *out) {
    int n = snprintf(out->text, sizeof out->text, "%s%s%s", names->prefix, start, name);
    return n > 0 && (size_t)n < sizeof out->text && fum_loader_find(names->loader, out->text);
}

// Tries a text encoder's name with "text_model." before it, or without: versions of transformers
// differ in that.
static bool find_other_text(const fum_names *names, const char *name, struct fum_file_name *out) {
    const char *rest = fum_name_below(name, "text_model");
    return rest ? is_there(names, "", rest, out) : is_there(names, "text_model.", name, out);
}

// Tries the names that attention over pixels had in older versions of diffusers.
static bool find_old_attention(const fum_names *names, const char *name,
                               struct fum_file_name *out) {
    static const char module[] = ".attentions.";
    char head[FUM_NAMES_MAX];
    struct fum_file_name old;
    const char *rest = strstr(name, module);
    if (!rest) return false;
    rest = strchr(rest + strlen(module), '.'); // after the number
    if (!rest++) return false;
    int n = snprintf(head, sizeof head, "%.*s", (int)(rest - name), name);
    if (n < 0 || (size_t)n >= sizeof head) return false;
    return fum_name_apply(old_attention, head, rest, &old) && is_there(names, "", old.text, out);
}

// Tries the names of other versions.
static bool find_other(const fum_names *names, const char *name, struct fum_file_name *out) {
    if (!strncmp(names->component, "text_encoder", 12)) return find_other_text(names, name, out);
    return find_old_attention(names, name, out);
}

// Writes the file's own name; the builder's if it has none.
static bool rename_diffusers(const fum_names *names, const char *name, struct fum_file_name *out) {
    if (!is_there(names, "", name, out) && !find_other(names, name, out))
        is_there(names, "", name, out);
    return true;
}

// ---- lookup ----

// Takes the first, second or last third of a fused tensor's rows.
static bool take_third(struct fum_view *view, int third) {
    if (view->rank < 1 || view->dim[0] % 3) return false;
    view->dim[0] /= 3;
    size_t bytes = fum_dtype_size(view->dtype);
    for (int i = 0; i < view->rank; i++) bytes *= (size_t)view->dim[i];
    fum_view_skip(view, (uint64_t)third * bytes);
    return true;
}

// Finds the tensor that holds a builder's tensor; NULL if the file has none.
static const struct fum_loader_tensor *find_tensor(const fum_names *names, const char *name,
                                                   int *third) {
    struct fum_file_name file = {.third = -1};
    if (!names->layout->rename(names, name, &file)) return NULL;
    *third = file.third;
    return fum_loader_find(names->loader, file.text);
}

bool fum_names_find(const fum_names *names, const char *name, struct fum_view *view,
                    size_t *index) {
    int third = -1;
    const struct fum_loader_tensor *t = find_tensor(names, name, &third);
    if (!t) return false;
    size_t found = fum_loader_index(names->loader, t);
    if (index) *index = found;
    *view = t->view;
    fum_scales_apply(names->scales, found, view);
    if (third >= 0) return take_third(view, third);
    if (names->projection && found == names->projection_index) *view = names->projection_view;
    // LDM's attention in the VAE is of 1x1 convolutions.
    bool linear = !strcmp(names->component, "vae") && strstr(name, ".attentions.");
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
    struct fum_file_name file = {.third = -1};
    bool known = names->layout->rename(names, name, &file);
    snprintf(text, room, "%s", known ? file.text : name);
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
    for (size_t i = 0; i < FUM_COUNT(starts); i++)
        if (!strncmp(name, starts[i], strlen(starts[i]))) return true;
    size_t n = strlen(name);
    for (size_t i = 0; i < FUM_COUNT(ends); i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && !strcmp(name + n - m, ends[i]) && (n == m || name[n - m - 1] == '.'))
            return true;
    }
    for (size_t i = 0; i < FUM_COUNT(schedule) && !strchr(name, '.'); i++)
        if (!strncmp(name, schedule[i], strlen(schedule[i]))) return true;
    return false;
}
