// SPDX-License-Identifier: MIT
// Builds the levels of k-diffusion's UNet (Crowson 2022), diffusers' K blocks. Easy to get wrong:
// - Norms have no weights: the time embedding scales and shifts each of them.
// - Only the last value of a level on the way down is read on the way up, and none of the deepest
// level.
// - The last residual block of a level on the way up has as many channels as the next level.
// - Pixels are halved and doubled by the filter 1, 3, 3, 1, and pictures continue as reflections.
#include "model/unet_k.h"

#include "base/macros.h"
#include "graph/graph.h"

#include <stdio.h>

enum { GROUP = 32 }; // channels of a norm's group

static const double attention_eps = 1e-5; // of the norms before attention, whatever norm_eps is

static int groups_of(int channels) {
    return FUM_MAX(channels / GROUP, 1);
}

struct fum_unet_k_layer fum_unet_k_layer(const struct fum_unet_config *c,
                                         struct fum_unet_k_place place, int layer) {
    const struct fum_unet_block *block = place.up ? &c->up[place.level] : &c->down[place.level];
    int last = c->num_blocks - 1, channels = block->channels;
    struct fum_unet_k_layer l = {.in = channels,
                                 .inner = channels,
                                 .out = channels,
                                 .level = channels,
                                 .head = block->heads};
    l.self = place.up ? place.level == 0 : place.level == last;
    if (!place.up) {
        if (layer == 0) l.in = c->down[FUM_MAX(place.level - 1, 0)].channels;
        return l;
    }
    if (layer == 0 && place.level) l.in = 2 * channels; // with the skip
    if (layer + 1 < block->layers) return l;
    l.out = c->up[FUM_MIN(place.level + 1, last)].channels;
    if (!block->attention) l.inner = l.out;
    return l;
}

void fum_unet_k_rows(struct fum_unet_builder *b, struct fum_unet_k_place place) {
    const struct fum_unet_config *c = b->config;
    const char *way = place.up ? "up" : "down";
    const struct fum_unet_block *block = place.up ? &c->up[place.level] : &c->down[place.level];
    for (int i = 0; i < block->layers; i++) {
        const struct fum_unet_k_layer l = fum_unet_k_layer(c, place, i);
        fum_unet_add_row(b, l.in, "%s_blocks.%d.resnets.%d.norm1", way, place.level, i);
        fum_unet_add_row(b, l.inner, "%s_blocks.%d.resnets.%d.norm2", way, place.level, i);
        if (!block->attention) continue;
        if (l.self)
            fum_unet_add_row(b, l.out, "%s_blocks.%d.attentions.%d.norm1", way, place.level, i);
        fum_unet_add_row(b, l.out, "%s_blocks.%d.attentions.%d.norm2", way, place.level, i);
    }
}

// ---- layers ----

// Adds a norm that the next row scales and shifts.
static fum_tensor *norm(struct fum_unet_builder *b, fum_tensor *x, int groups, double eps) {
    return fum_nn_ada_group_norm(&b->nn, x, b->rows[b->next_row++].row,
                                 &(struct fum_nn_groups){groups, eps});
}

static fum_tensor *resblock(struct fum_unet_builder *b, int index, const struct fum_unet_k_layer *l,
                            fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    size_t mark = fum_nn_enter(&b->nn, "resnets.%d", index);
    fum_tensor *h = norm(b, x, groups_of(l->in), c->eps);
    h = fum_nn_conv(&b->nn, "conv1", fum_nn_unary(&b->nn, c->activation, NULL, h), l->inner, NULL);
    // Its groups are those of the level, even where the channels are the next one's.
    h = norm(b, h, groups_of(l->level), c->eps);
    h = fum_nn_conv(&b->nn, "conv2", fum_nn_unary(&b->nn, c->activation, NULL, h), l->out, NULL);
    if (l->in != l->out)
        x = fum_nn_conv(&b->nn, "conv_shortcut", x, l->out,
                        &(struct fum_nn_conv){.kernel = 1, .no_bias = true});
    x = fum_nn_add(&b->nn, "", h, x);
    fum_nn_leave(&b->nn, mark);
    return x;
}

// Adds attention with a residual. `context` NULL: over the picture.
static fum_tensor *attend(struct fum_unet_builder *b, const char *name, fum_tensor *x,
                          const struct fum_nn_attention *attention) {
    int groups = groups_of((int)fum_nn_channels(x));
    fum_tensor *h = fum_nn_tokens(&b->nn, norm(b, x, groups, attention_eps));
    h = fum_nn_attention(&b->nn, name, h, attention);
    h = fum_nn_add(&b->nn, NULL, h, fum_nn_tokens(&b->nn, x));
    return fum_nn_image(&b->nn, NULL, h, fum_tensor_shape(x));
}

// Returns the prompt as the second attention reads it.
static fum_tensor *normalise_context(struct fum_unet_builder *b) {
    size_t mark = fum_nn_enter(&b->nn, "attn2");
    fum_tensor *context = fum_nn_layer_norm(&b->nn, "norm_cross", b->context, 1e-5);
    fum_nn_leave(&b->nn, mark);
    return context;
}

static fum_tensor *attentions(struct fum_unet_builder *b, int index,
                              const struct fum_unet_k_layer *l, fum_tensor *x) {
    size_t mark = fum_nn_enter(&b->nn, "attentions.%d", index);
    struct fum_nn_attention attention = {.heads = l->out / l->head, .bias = true};
    if (l->self) x = attend(b, "attn1", x, &attention);
    attention.context = normalise_context(b);
    attention.context_row = b->context_row;
    x = attend(b, "attn2", x, &attention);
    fum_nn_leave(&b->nn, mark);
    return x;
}

// Adds the layers of a level.
static fum_tensor *add_layers(struct fum_unet_builder *b, struct fum_unet_k_place place,
                              fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *block = place.up ? &c->up[place.level] : &c->down[place.level];
    for (int i = 0; i < block->layers; i++) {
        const struct fum_unet_k_layer l = fum_unet_k_layer(c, place, i);
        fum_graph_begin_block(b->nn.graph);
        x = resblock(b, i, &l, x);
        if (block->attention) x = attentions(b, i, &l, x);
        fum_graph_end_block(b->nn.graph);
    }
    return x;
}

fum_tensor *fum_unet_k_down(struct fum_unet_builder *b, int level, fum_tensor *x) {
    x = add_layers(b, (struct fum_unet_k_place){.level = level}, x);
    if (level + 1 == b->config->num_blocks) return x;
    b->skips[b->num_skips++] = x;
    return fum_nn_reflect_halve(&b->nn, x);
}

fum_tensor *fum_unet_k_up(struct fum_unet_builder *b, int level, fum_tensor *x) {
    if (level) x = fum_nn_concat(&b->nn, NULL, x, b->skips[--b->num_skips]);
    x = add_layers(b, (struct fum_unet_k_place){.up = true, .level = level}, x);
    return level + 1 == b->config->num_blocks ? x : fum_nn_reflect_double(&b->nn, x);
}

// ---- the time embedding ----

// Adds what the conditions add to the features of the times: a level of noise, which is 0, and the
// pooled text, [1 or steps, batch, features].
static fum_tensor *conditions(struct fum_unet_builder *b, int64_t steps) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_params *p = b->params;
    const struct fum_attr cosines_first[] = {
        {"dim", c->text_time_channels}, {"flip_sin_to_cos", 1}, {0}};
    if (!p->text_embeds || !p->time_ids) return NULL;
    fum_tensor *level = fum_graph_add(b->nn.graph, "timestep_embedding", NULL,
                                      FUM_INPUTS(p->time_ids), cosines_first);
    fum_tensor *both = fum_nn_concat(&b->nn, NULL, level, fum_nn_stored(&b->nn, p->text_embeds));
    int64_t rows = fum_tensor_shape(p->text_embeds).dim[0], times = p->context_rows ? steps : 1;
    both = fum_nn_linear(&b->nn, "cond_proj", both, c->time_channels, false);
    return fum_nn_reshape(&b->nn, NULL, both,
                          (struct fum_shape){3, {times, rows / times, c->time_channels}});
}

// Adds the Fourier features of the times, [times, features]. The op takes logarithms.
static fum_tensor *features(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    char weight[FUM_NN_PATH + 32];
    int half = c->time_channels / 2;
    snprintf(weight, sizeof weight, "%stime_proj.weight", b->nn.path);
    fum_tensor *w = fum_graph_fixed_weight(b->nn.graph, weight, (struct fum_shape){1, {half}}),
               *t = fum_nn_unary(&b->nn, "exp", NULL, b->params->timesteps);
    if (!w || !t) return NULL;
    t = fum_graph_add(b->nn.graph, "fourier_embedding", NULL, FUM_INPUTS(t, w), NULL);
    if (!c->flip_sin_to_cos) return t;
    return fum_nn_concat(&b->nn, NULL,
                         fum_nn_slice(&b->nn, NULL, t, (struct fum_nn_range){1, half, half}),
                         fum_nn_slice(&b->nn, NULL, t, (struct fum_nn_range){1, 0, half}));
}

fum_tensor *fum_unet_k_time(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    fum_tensor *t = features(b);
    struct fum_shape s = fum_tensor_shape(t);
    // Without a counter the times are those of the pictures of a single step.
    int64_t steps = b->params->counter ? s.dim[0] : 1, rows = b->params->counter ? 1 : s.dim[0];
    t = fum_nn_reshape(&b->nn, NULL, t, (struct fum_shape){3, {steps, rows, c->time_channels}});
    size_t mark = fum_nn_enter(&b->nn, "time_embedding");
    t = fum_nn_add(&b->nn, NULL, t, conditions(b, steps));
    t = fum_nn_linear(&b->nn, "linear_1", t, c->time_channels, true);
    t = fum_nn_unary(&b->nn, c->activation, NULL, t);
    t = fum_nn_linear(&b->nn, "linear_2", t, c->time_channels, true);
    fum_nn_leave(&b->nn, mark);
    return c->time_activation ? fum_nn_unary(&b->nn, c->time_activation, NULL, t) : t;
}
