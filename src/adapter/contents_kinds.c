// SPDX-License-Identifier: MIT
// Recognises files by their tensors: embeddings, ControlNets, VAEs, networks that enlarge pictures,
// and single components of models. Adapters are in contents_adapter.c.
#include "adapter/contents.h"

#include "base/json.h"
#include "base/macros.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/names.h"
#include "model/upscaler.h"
#include "model/vae.h"

#include <stdio.h>
#include <string.h>

// ---- textual inversions ----

// True if a tensor is a vector, or rows of them.
static bool is_table(const struct fum_loader_tensor *t) {
    return t && t->view.rank >= 1 && t->view.rank <= 2;
}

// True if a tensor has rows of a text encoder's width.
static bool is_vectors(const struct fum_loader_tensor *t) {
    static const int64_t widths[] = {768, 1024, 1280};
    if (!is_table(t)) return false;
    int64_t width = t->view.dim[t->view.rank - 1];
    if (t->name[0] == '<') return true;
    return width == widths[0] || width == widths[1] || width == widths[2];
}

static bool recognise_embedding(fum_contents *c) {
    static const char *const names[] = {"emb_params", "string_to_param.*"};
    const struct fum_loader_tensor *t = NULL, *l = fum_loader_find(c->loader, "clip_l"),
                                   *g = fum_loader_find(c->loader, "clip_g");
    c->info.title = "textual inversion";
    if (l && g && is_table(l) && is_table(g)) {
        fum_contents_add(c, "vectors", "%d", l->view.rank == 2 ? (int)l->view.dim[0] : 1);
        fum_contents_add(c, "clip_l", "%d", (int)l->view.dim[l->view.rank - 1]);
        fum_contents_add(c, "clip_g", "%d", (int)g->view.dim[g->view.rank - 1]);
        return true;
    }
    for (int i = 0; i < 2 && !t; i++) t = fum_loader_find(c->loader, names[i]);
    bool named = t != NULL; // else a single tensor, by the name of its token
    if (!t && fum_loader_count(c->loader) == 1) t = fum_loader_at(c->loader, 0);
    if (!t || t->view.rank < 1 || t->view.rank > 2 || (!named && !is_vectors(t))) return false;
    int width = (int)t->view.dim[t->view.rank - 1];
    fum_contents_add(c, "vectors", "%d", t->view.rank == 2 ? (int)t->view.dim[0] : 1);
    if (!named) fum_contents_add(c, "token", "%s", t->name);
    fum_contents_add(c, "width", "%d", width);
    const struct fum_family *family = fum_family_of_context(width);
    if (family) fum_contents_add(c, "family", "%s", family->title);
    return true;
}

static const struct fum_contents_kind embedding = {"embedding", recognise_embedding};

// ---- ControlNets and T2I-adapters ----

static bool recognise_controlnet(fum_contents *c) {
    static const char *const signs[] = {"controlnet_cond_embedding.conv_in.weight",
                                        "control_model.input_hint_block.0.weight",
                                        "input_hint_block.0.weight"};
    const struct fum_loader_tensor *sign = NULL;
    for (int i = 0; i < 3 && !sign; i++) sign = fum_loader_find(c->loader, signs[i]);
    if (!sign) return false;
    const struct fum_loader_tensor *attention = fum_contents_find_end(c, ".attn2.to_k.weight");
    c->info.title = "ControlNet";
    if (attention && attention->view.rank == 2)
        fum_contents_add_family(c, (int)attention->view.dim[1]);
    if (sign->view.rank == 4) fum_contents_add(c, "picture channels", "%d", (int)sign->view.dim[1]);
    return true;
}

static bool recognise_t2i(fum_contents *c) {
    c->info.title = "T2I-adapter";
    // The full adapter, SDXL's and the light one, with diffusers' prefix and without.
    static const char *const signs[] = {"body.0.block1.weight", "body.0.resnets.0.block1.weight",
                                        "body.0.body.0.block1.weight"};
    static const char prefix[] = "adapter.";
    for (size_t i = 0; i < FUM_COUNT(signs); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", prefix, signs[i]);
        if (fum_loader_find(c->loader, name) || fum_loader_find(c->loader, signs[i])) return true;
    }
    return false;
}

static const struct fum_contents_kind controlnet = {"controlnet", recognise_controlnet},
                                      t2i_adapter = {"t2i_adapter", recognise_t2i};

// ---- networks that enlarge pictures ----

static bool recognise_upscaler(fum_contents *c) {
    struct fum_upscaler_net net = {0};
    struct fum_error err = {0};
    bool known = !fum_upscaler_net_open(&net, c->info.path, &err);
    fum_contents_note(c, &err);
    if (known) {
        c->info.title = net.family->name;
        fum_contents_add(c, "scale", "%d", net.scale);
        fum_contents_add(c, "picture channels", "%d", net.channels);
        fum_contents_add(c, "features", "%d", net.features);
        fum_contents_add(c, "blocks", "%d", net.blocks);
    }
    fum_upscaler_net_close(&net);
    return known;
}

static const struct fum_contents_kind upscaler = {"upscaler", recognise_upscaler};

// ---- components of models ----

// Adds what the configuration of a VAE says.
static void add_vae(fum_contents *c, cJSON *config) {
    struct fum_vae_config vae;
    if (config) fum_contents_add(c, "class", "%s", fum_json_string(config, "_class_name", ""));
    if (config && !fum_vae_config_parse(&vae, config, c->info.path, NULL)) {
        fum_contents_add(c, "latent channels", "%d", vae.latent_channels);
        fum_contents_add(c, "pixels per latent", "%d", fum_vae_factor(&vae));
        if (vae.decoder_only) fum_contents_add(c, "encoder", "none");
    }
    cJSON_Delete(config);
}

static bool recognise_vae(fum_contents *c) {
    bool openclip;
    struct fum_error err = {0};
    const struct fum_tiny_style *tiny = fum_tiny_find_style(c->loader);
    const char *prefix = fum_names_find_prefix(c->loader, "vae", &openclip);
    c->info.title = tiny ? "small autoencoder" : "VAE";
    if (tiny) {
        add_vae(c, fum_checkpoint_tiny_config(c->loader, tiny, &err));
    } else if (prefix && fum_names_has_component(c->loader, "vae")) {
        const struct fum_family *sd1 = fum_family_find("sd1");
        add_vae(c, fum_checkpoint_vae_config(c->loader, prefix, sd1, 0, &err));
    }
    fum_contents_note(c, &err);
    return tiny || prefix;
}

static bool recognise_unet(fum_contents *c) {
    struct fum_checkpoint found = {0};
    struct fum_error err = {0};
    bool openclip;
    c->info.title = "UNet";
    if (!fum_names_find_prefix(c->loader, "unet", &openclip)) return false;
    enum fum_result result = fum_checkpoint_detect_unet(&found, c->loader, NULL, 0, &err);
    fum_contents_note(c, &err);
    if (result) return true;
    fum_contents_add(c, "family", "%s", found.family->title);
    fum_contents_add(c, "prediction", "%s", found.prediction);
    fum_contents_add(c, "input channels", "%d", found.in_channels);
    fum_checkpoint_free(&found);
    return true;
}

static bool recognise_text(fum_contents *c) {
    static const char *const components[] = {"text_encoder", "text_encoder_2"};
    c->info.title = "text encoder";
    for (int i = 0; i < 2; i++) {
        struct fum_family_text text = {0};
        struct fum_error err = {0};
        text.prefix = fum_names_find_prefix(c->loader, components[i], &text.openclip);
        cJSON *config = text.prefix ? fum_checkpoint_text_config(c->loader, &text, &err) : NULL;
        if (config) {
            fum_contents_add(c, "names", "%s", text.openclip ? "OpenCLIP" : "transformers");
            fum_contents_add(c, "width", "%d", (int)fum_json_number(config, "hidden_size", 0));
            fum_contents_add(c, "layers", "%d",
                             (int)fum_json_number(config, "num_hidden_layers", 0));
            fum_contents_add(c, "tokens", "%d", (int)fum_json_number(config, "vocab_size", 0));
        }
        bool known = config != NULL;
        fum_contents_note(c, &err);
        cJSON_Delete(config);
        if (known) return true;
    }
    return false;
}

static const struct fum_contents_kind vae = {"vae", recognise_vae}, unet = {"unet", recognise_unet},
                                      text = {"text_encoder", recognise_text};

const struct fum_contents_kind *const fum_contents_kinds[] = {
    &embedding, &controlnet, &t2i_adapter, &fum_contents_adapter, &upscaler, &vae,
    &unet,      &text,       NULL,
};
