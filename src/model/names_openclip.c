// SPDX-License-Identifier: MIT
// Names tensors of OpenCLIP's text encoders.
#include "model/names_layout.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const struct fum_name_rule openclip_plain[] = {
    {"embeddings.token_embedding", "token_embedding"},
    {"final_layer_norm", "ln_final"},
    {NULL, NULL},
};
static const struct fum_name_rule openclip_layer[] = {
    {"layer_norm1", "ln_1"},
    {"layer_norm2", "ln_2"},
    {"mlp.fc1", "mlp.c_fc"},
    {"mlp.fc2", "mlp.c_proj"},
    {"self_attn.out_proj", "attn.out_proj"},
    {NULL, NULL},
};

// Transposes text_projection: transformers' nn.Linear holds [out, in], OpenCLIP multiplies from the
// left and holds [in, out].
static enum fum_result transpose_projection(fum_names *names, const cJSON *config,
                                            struct fum_error *err) {
    (void)config;
    char name[FUM_NAMES_MAX];
    snprintf(name, sizeof name, "%stext_projection", names->prefix);
    const struct fum_loader_tensor *t = fum_loader_find(names->loader, name);
    if (!t) return FUM_OK;
    if (t->view.rank != 2)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s has %d dimensions, not 2",
                             fum_loader_path(names->loader), name, t->view.rank);
    size_t rows = (size_t)t->view.dim[0], columns = (size_t)t->view.dim[1],
           size = fum_dtype_size(t->view.dtype);
    struct fum_view view = t->view;
    void *copy = NULL;
    names->projection = fum_alloc((size_t)fum_view_bytes(&t->view), 1);
    if (!names->projection)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for tensor %s",
                             fum_loader_path(names->loader), name);
    enum fum_result result = fum_view_load(&view, fum_view_bytes(&t->view), &copy, err);
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

// Renames text_model.encoder.layers.3.… to transformer.resblocks.3.….
static bool rename_openclip(const fum_names *names, const char *name, struct fum_file_name *out) {
    static const char *const components[] = {"self_attn.q_proj", "self_attn.k_proj",
                                             "self_attn.v_proj"};
    const char *rest = fum_name_below(name, "text_model");
    if (rest) name = rest;
    if (!strcmp(name, "embeddings.position_embedding.weight")) {
        snprintf(out->text, sizeof out->text, "%spositional_embedding", names->prefix);
        return true;
    }
    if (!strcmp(name, "text_projection.weight")) {
        // Files written by diffusers' script keep transformers' layer, which is not transposed.
        snprintf(out->text, sizeof out->text, "%stext_projection.weight", names->prefix);
        if (!fum_loader_find(names->loader, out->text))
            snprintf(out->text, sizeof out->text, "%stext_projection", names->prefix);
        return true;
    }
    rest = fum_name_below(name, "encoder.layers");
    if (!rest) return fum_name_apply(openclip_plain, names->prefix, name, out);
    size_t digits = strspn(rest, "0123456789");
    if (!digits || digits > 4 || rest[digits] != '.') return false;
    char head[FUM_NAMES_MAX];
    snprintf(head, sizeof head, "%stransformer.resblocks.%.*s.", names->prefix, (int)digits, rest);
    rest += digits + 1;
    for (int i = 0; i < 3; i++) {
        const char *kind = fum_name_below(rest, components[i]);
        if (!kind) continue;
        out->third = i;
        int n = snprintf(out->text, sizeof out->text, "%sattn.in_proj_%s", head, kind);
        return n > 0 && (size_t)n < sizeof out->text;
    }
    return fum_name_apply(openclip_layer, head, rest, out);
}

const struct fum_names_layout fum_layout_openclip = {transpose_projection, rename_openclip};
