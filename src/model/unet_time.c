// SPDX-License-Identifier: MIT
// Builds the time embedding of a UNet and the row of it that each residual block adds.
// - The time embedding of all steps is one batch; each residual block reads its part of a row.
// - Text and size ids are added to it per picture, which makes a row per picture.
#include "model/unet_time.h"

#include "graph/graph.h"
#include "model/unet_k.h"

#include <stdio.h>

// Adds the features of times t: channels of them, or sines and cosines of as many frequencies.
static fum_tensor *features(struct fum_unet_builder *b, const char *name, fum_tensor *t,
                            int channels) {
    const struct fum_unet_config *c = b->config;
    struct fum_attr attrs[] = {
        {"dim", channels}, {"flip_sin_to_cos", c->flip_sin_to_cos}, {"shift", c->freq_shift}, {0}};
    if (!t || !c->fourier)
        return t ? fum_graph_add(b->nn.graph, "timestep_embedding", name, FUM_INPUTS(t), attrs)
                 : NULL;
    char weight[FUM_NN_PATH + 32];
    snprintf(weight, sizeof weight, "%stime_proj.weight", b->nn.path);
    fum_tensor *w = fum_graph_fixed_weight(b->nn.graph, weight, (struct fum_shape){1, {channels}});
    return w ? fum_graph_add(b->nn.graph, "fourier_embedding", name, FUM_INPUTS(t, w), NULL) : NULL;
}

// Embeds pooled text and time ids, [batch, time_channels] or [steps, batch, time_channels].
static fum_tensor *text_time(struct fum_unet_builder *b) {
    const struct fum_unet_params *p = b->params;
    fum_tensor *ids = features(b, NULL, p->time_ids, b->config->text_time_channels);
    int64_t batch = fum_tensor_shape(p->text_embeds).dim[0];
    if (!ids || batch < 1) return NULL;
    int64_t each = fum_tensor_shape(p->time_ids).dim[0] / batch * b->config->text_time_channels;
    ids = fum_nn_reshape(&b->nn, NULL, ids, (struct fum_shape){2, {batch, each}});
    fum_tensor *both = fum_nn_concat(&b->nn, NULL, fum_nn_stored(&b->nn, p->text_embeds), ids);
    both = fum_nn_time_mlp(&b->nn, "add_embedding", both, b->config->time_channels);
    if (!p->context_rows) return both;
    int64_t steps = fum_tensor_shape(p->timesteps).dim[0];
    const struct fum_shape shape = {3, {steps, batch / steps, b->config->time_channels}};
    return fum_nn_reshape(&b->nn, NULL, both, shape);
}

static fum_tensor *class_embedding(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    fum_tensor *labels = b->params->class_labels;
    if (c->class_embed != FUM_UNET_CLASS_TIMESTEP) labels = fum_nn_stored(&b->nn, labels);
    switch (c->class_embed) {
    case FUM_UNET_CLASS_NONE: break;
    case FUM_UNET_CLASS_TABLE:
        return fum_nn_embedding(&b->nn, "class_embedding", labels, c->class_count,
                                c->time_channels);
    case FUM_UNET_CLASS_TIMESTEP:
        labels = features(b, NULL, labels, c->down[0].channels);
        return fum_nn_time_mlp(&b->nn, "class_embedding", labels, c->time_channels);
    case FUM_UNET_CLASS_PROJECTION:
        return fum_nn_time_mlp(&b->nn, "class_embedding", labels, c->time_channels);
    case FUM_UNET_CLASS_LINEAR:
        return fum_nn_linear(&b->nn, "class_embedding", labels, c->time_channels, true);
    case FUM_UNET_CLASS_IDENTITY: return labels;
    }
    return labels;
}

// Adds [batch, channels] or [1, batch, channels] of the pictures to [steps, rows, channels] of the
// steps.
static fum_tensor *add_per_picture(struct fum_unet_builder *b, fum_tensor *time, fum_tensor *x) {
    struct fum_shape s = fum_tensor_shape(x);
    if (x && s.rank == 2)
        x = fum_nn_reshape(&b->nn, NULL, x, (struct fum_shape){3, {1, s.dim[0], s.dim[1]}});
    return fum_nn_add(&b->nn, NULL, time, x);
}

static fum_tensor *time_embedding(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_params *p = b->params;
    fum_tensor *t = features(b, "time_proj", p->timesteps, c->down[0].channels);
    if (c->time_cond_channels && p->timestep_cond) {
        size_t mark = fum_nn_enter(&b->nn, "time_embedding");
        fum_tensor *cond =
            fum_nn_linear(&b->nn, "cond_proj", fum_nn_stored(&b->nn, p->timestep_cond),
                          c->down[0].channels, false);
        t = fum_nn_add(&b->nn, NULL, t, cond);
        fum_nn_leave(&b->nn, mark);
    }
    t = fum_nn_time_mlp(&b->nn, "time_embedding", t, c->time_channels);
    struct fum_shape s = fum_tensor_shape(t);
    // Without a counter the times are those of the pictures of a single step.
    bool single = !p->counter;
    int64_t steps = single ? 1 : s.dim[0], rows = single ? s.dim[0] : 1;
    t = fum_nn_reshape(&b->nn, NULL, t, (struct fum_shape){3, {steps, rows, c->time_channels}});
    if (c->class_embed && p->class_labels) t = add_per_picture(b, t, class_embedding(b));
    if (c->text_time) t = add_per_picture(b, t, text_time(b));
    return fum_nn_unary(&b->nn, c->activation ? c->activation : "silu", NULL, t);
}

// Lists the rows of a block and of what resizes its picture.
static void add_block_rows(struct fum_unet_builder *b, const char *way, int index) {
    const struct fum_unet_config *c = b->config;
    bool down = *way == 'd', resized = index + 1 < c->num_blocks;
    if (c->k_levels) {
        fum_unet_k_rows(b, (struct fum_unet_k_place){.up = !down, .level = index});
        return;
    }
    const struct fum_unet_block *block = down ? &c->down[index] : &c->up[index];
    for (int i = 0; i < block->layers; i++)
        fum_unet_add_row(b, block->channels, "%s_blocks.%d.resnets.%d", way, index, i);
    if (resized && block->skip)
        fum_unet_add_row(b, block->channels, "%s_blocks.%d.resnet_%s", way, index, way);
    else if (resized && block->resnet_resample)
        fum_unet_add_row(b, block->channels, "%s_blocks.%d.%ssamplers.0", way, index, way);
}

bool fum_unet_time_rows(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    static const int mid_resnets[] = {[FUM_UNET_MID_NONE] = 0,
                                      [FUM_UNET_MID_RESNET] = 1,
                                      [FUM_UNET_MID_ATTENTION] = 2,
                                      [FUM_UNET_MID_PAIR] = 2,
                                      [FUM_UNET_MID_PIXELS] = 2};
    for (int i = 0; i < c->num_blocks; i++) add_block_rows(b, "down", i);
    for (int i = 0; i < mid_resnets[c->mid]; i++)
        fum_unet_add_row(b, c->down[c->num_blocks - 1].channels, "mid_block.resnets.%d", i);
    for (int i = 0; i < c->num_blocks && !b->encoder; i++) add_block_rows(b, "up", i);
    fum_tensor *time = c->k_levels ? fum_unet_k_time(b) : time_embedding(b);
    return fum_nn_time_rows(&b->nn, time, b->params->counter, b->rows, b->num_rows);
}

fum_tensor *fum_unet_divide_by_times(struct fum_unet_builder *b, fum_tensor *x) {
    fum_tensor *t = fum_nn_unary(&b->nn, "reciprocal", NULL, b->params->timesteps);
    int64_t count = fum_nn_channels(t);
    if (!t || !x) return NULL;
    if (b->params->counter) {
        t = fum_nn_reshape(&b->nn, NULL, t, (struct fum_shape){2, {count, 1}});
        t = t ? fum_graph_add(b->nn.graph, "step_row", NULL, FUM_INPUTS(t, b->params->counter),
                              NULL)
              : NULL;
        count = 1;
    }
    t = fum_nn_reshape(&b->nn, NULL, t, (struct fum_shape){4, {count, 1, 1, 1}});
    return fum_nn_mul(&b->nn, NULL, x, fum_nn_stored(&b->nn, t));
}
