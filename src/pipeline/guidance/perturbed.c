// SPDX-License-Identifier: MIT
// Guides away from what the model predicts with a part of it left out: self-attention
// (perturbed-attention guidance, Ahn et al. 2024), or whole transformer blocks (skip-layer
// guidance).
#include "pipeline/guidance/guidance.h"

#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYER = 128 };

// Writes a layer's path as the model has it: "down.block_1.attentions_0" is
// "down_blocks.1.attentions.0".
static void expand_layer(const char *layer, size_t length, char text[MAX_LAYER]) {
    static const char *const names[][2] = {{"down", "down_blocks"},
                                           {"up", "up_blocks"},
                                           {"mid", "mid_block"},
                                           {".block_", "."},
                                           {".attentions_", ".attentions."}};
    size_t used = 0;
    for (size_t i = 0; i < length && used + 16 < MAX_LAYER;) {
        size_t from = 1, size = 1;
        const char *to = layer + i;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            size_t bytes = strlen(names[n][0]);
            if (bytes > length - i || strncmp(layer + i, names[n][0], bytes)) continue;
            if (n <= 2 && (i > 0 || (bytes < length && layer[bytes] != '.'))) continue;
            from = bytes;
            to = names[n][1];
            size = strlen(to);
            break;
        }
        memcpy(text + used, to, size);
        used += size;
        i += from;
    }
    text[used] = 0;
}

// True if the layer's parts are in the path, as "blocks.0" and "attentions" are.
static bool has_parts(const char *path, const char *layer) {
    size_t bytes = strlen(layer);
    const char *at = bytes ? strstr(path, layer) : NULL;
    while (at && at[bytes] != '.') at = strstr(at + 1, layer);
    return at != NULL;
}

// True if a list names the layer, by its path or by its number.
static bool is_listed(const void *user, const char *path, int index) {
    char layer[MAX_LAYER];
    for (const char *at = user; *at;) {
        at += strspn(at, " ,[]");
        size_t length = strcspn(at, " ,[]");
        bool number = length && strspn(at, "0123456789") >= length;
        if (number && strtol(at, NULL, 10) == index) return true;
        expand_layer(at, length, layer);
        if (!number && has_parts(path, layer)) return true;
        at += length;
    }
    return false;
}

// Adds scale · (with − perturbed).
static void guide(struct fum_guided *g) {
    fum_tensor *difference = fum_guidance_difference(g, g->with, g->perturbed);
    if (!g->nn.graph->perturbation.matched)
        fum_graph_fail(g->nn.graph, FUM_ERR_ARG, "no layer of the UNet is one of \"%s\"",
                       (const char *)g->nn.graph->perturbation.user);
    g->prediction =
        fum_nn_add(&g->nn, NULL, g->prediction, fum_nn_mul(&g->nn, NULL, difference, g->scale));
}

static bool attention_serves(const struct fum_guidance_params *params) {
    return params->pag_scale != 0;
}

static void perturb_attention(fum_graph *graph, const struct fum_guidance_params *params,
                              int64_t row) {
    graph->perturbation =
        (struct fum_graph_perturbation){.part = FUM_PERTURB_ATTENTION,
                                        .row = row,
                                        .serves = is_listed,
                                        .user = params->pag_layers ? params->pag_layers : "mid"};
}

const struct fum_guidance_method fum_guidance_perturbed_attention = {
    .name = "PAG", .serves = attention_serves, .perturb = perturb_attention, .guide = guide};

static bool layers_serve(const struct fum_guidance_params *params) {
    return params->slg_scale != 0;
}

static void skip_layers(fum_graph *graph, const struct fum_guidance_params *params, int64_t row) {
    graph->perturbation =
        (struct fum_graph_perturbation){.part = FUM_PERTURB_BLOCK,
                                        .row = row,
                                        .serves = is_listed,
                                        .user = params->slg_layers ? params->slg_layers : "7,8,9"};
}

const struct fum_guidance_method fum_guidance_skipped_layers = {
    .name = "skip-layer guidance", .serves = layers_serve, .perturb = skip_layers, .guide = guide};
