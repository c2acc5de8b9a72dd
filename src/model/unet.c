// SPDX-License-Identifier: MIT
// Builds the UNet. Easy to get wrong:
// - The skips are taken from the end, the last one made first.
// - The context's projection is the same for all steps, so it is a node of the prompt.
// - The time embedding of all steps is one batch; each residual block reads its part of a row.
// - Text and size ids are added to it per picture, which makes a row per picture.
#include "model/unet.h"

#include "graph/graph.h"
#include "nn/nn.h"

#include <stdio.h>

enum { MAX_SKIPS = 1 + FUM_UNET_MAX_BLOCKS * (FUM_UNET_MAX_LAYERS + 1) };
_Static_assert(FUM_NN_TIME_ROWS >= 2 * FUM_UNET_MAX_BLOCKS * FUM_UNET_MAX_LAYERS + 2,
               "a row for each residual block");

struct build {
    struct fum_nn nn;
    const struct fum_unet_config *config;
    const struct fum_unet_params *params;
    struct fum_nn_time_row rows[FUM_NN_TIME_ROWS]; // in the order of the residual blocks
    int num_rows, next_row;
    fum_tensor *context; // projected where the model does
    fum_tensor *skips[MAX_SKIPS];
    int num_skips;
};

static fum_tensor *sinusoid(struct build *b, const char *name, fum_tensor *t, int channels) {
    const struct fum_unet_config *c = b->config;
    struct fum_attr attrs[] = {
        {"dim", channels}, {"flip_sin_to_cos", c->flip_sin_to_cos}, {"shift", c->freq_shift}, {0}};
    return t ? fum_graph_add(b->nn.graph, "timestep_embedding", name, FUM_INPUTS(t), attrs) : NULL;
}

// Embeds pooled text and time ids, [batch, time_channels].
static fum_tensor *text_time(struct build *b) {
    const struct fum_unet_params *p = b->params;
    fum_tensor *ids = sinusoid(b, NULL, p->time_ids, b->config->text_time_channels);
    int64_t batch = fum_tensor_shape(p->text_embeds).dim[0];
    if (!ids || batch < 1) return NULL;
    int64_t each = fum_tensor_shape(p->time_ids).dim[0] / batch * b->config->text_time_channels;
    ids = fum_nn_reshape(&b->nn, NULL, ids, (struct fum_shape){2, {batch, each}});
    fum_tensor *both = fum_nn_concat(&b->nn, NULL, fum_nn_stored(&b->nn, p->text_embeds), ids);
    return fum_nn_time_mlp(&b->nn, "add_embedding", both, b->config->time_channels);
}

static fum_tensor *class_embedding(struct build *b) {
    const struct fum_unet_config *c = b->config;
    fum_tensor *labels = b->params->class_labels;
    if (c->class_embed != FUM_UNET_CLASS_TIMESTEP) labels = fum_nn_stored(&b->nn, labels);
    switch (c->class_embed) {
    case FUM_UNET_CLASS_NONE: break;
    case FUM_UNET_CLASS_TABLE:
        return fum_nn_embedding(&b->nn, "class_embedding", labels, c->class_count,
                                c->time_channels);
    case FUM_UNET_CLASS_TIMESTEP:
        labels = sinusoid(b, NULL, labels, c->down[0].channels);
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
static fum_tensor *add_per_picture(struct build *b, fum_tensor *time, fum_tensor *x) {
    struct fum_shape s = fum_tensor_shape(x);
    if (x && s.rank == 2)
        x = fum_nn_reshape(&b->nn, NULL, x, (struct fum_shape){3, {1, s.dim[0], s.dim[1]}});
    return fum_nn_add(&b->nn, NULL, time, x);
}

static fum_tensor *time_embedding(struct build *b) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_params *p = b->params;
    fum_tensor *t = sinusoid(b, "time_proj", p->timesteps, c->down[0].channels);
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
    return fum_nn_unary(&b->nn, "silu", NULL, t);
}

// Lists the rows of the residual blocks of `parent`.
static void add_rows(struct build *b, const char *parent, int layers, int channels) {
    for (int i = 0; i < layers; i++) {
        struct fum_nn_time_row *r = &b->rows[b->num_rows++];
        snprintf(r->path, sizeof r->path, "%s.resnets.%d", parent, i);
        r->channels = b->config->scale_shift ? 2 * channels : channels;
    }
}

// Makes the time embedding as every residual block adds it.
static bool time_rows(struct build *b) {
    const struct fum_unet_config *c = b->config;
    char parent[24];
    for (int i = 0; i < c->num_blocks; i++) {
        snprintf(parent, sizeof parent, "down_blocks.%d", i);
        add_rows(b, parent, c->down[i].layers, c->down[i].channels);
    }
    static const int resnets[] = {
        [FUM_UNET_MID_NONE] = 0, [FUM_UNET_MID_RESNET] = 1, [FUM_UNET_MID_ATTENTION] = 2};
    add_rows(b, "mid_block", resnets[c->mid], c->down[c->num_blocks - 1].channels);
    for (int i = 0; i < c->num_blocks; i++) {
        snprintf(parent, sizeof parent, "up_blocks.%d", i);
        add_rows(b, parent, c->up[i].layers, c->up[i].channels);
    }
    return fum_nn_time_rows(&b->nn, time_embedding(b), b->params->counter, b->rows, b->num_rows);
}

static fum_tensor *resblock(struct build *b, int index, fum_tensor *x, int channels, double scale) {
    const struct fum_unet_config *c = b->config;
    char name[24];
    snprintf(name, sizeof name, "resnets.%d", index);
    struct fum_nn_resblock block = {
        .out = channels,
        .groups = c->groups,
        .eps = c->eps,
        .time = b->rows[b->next_row++].row,
        .scale_shift = c->scale_shift,
        .output_scale = scale,
    };
    return fum_nn_resblock(&b->nn, name, x, &block);
}

static fum_tensor *transformer(struct build *b, int index, fum_tensor *x,
                               const struct fum_unet_block *block, int depth) {
    char name[24];
    snprintf(name, sizeof name, "attentions.%d", index);
    struct fum_nn_transformer t = {
        .heads = block->heads,
        .depth = depth,
        .groups = b->config->groups,
        .context = b->context,
        .only_cross = block->only_cross,
    };
    return fum_nn_transformer(&b->nn, name, x, &t);
}

static fum_tensor *down_block(struct build *b, int index, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *block = &c->down[index];
    size_t mark = fum_nn_enter(&b->nn, "down_blocks.%d", index);
    for (int i = 0; i < block->layers; i++) {
        x = resblock(b, i, x, block->channels, 1);
        if (block->attention) x = transformer(b, i, x, block, block->depth[i]);
        b->skips[b->num_skips++] = x;
    }
    if (index + 1 < c->num_blocks) {
        struct fum_nn_conv conv = {.stride = 2, .pad = c->downsample_pad};
        // Without padding diffusers pads one row and column at the end instead.
        if (!c->downsample_pad)
            conv = (struct fum_nn_conv){.stride = 2, .pad = FUM_NN_NO_PAD, .pad_end = 1};
        x = fum_nn_downsample(&b->nn, "downsamplers.0", x, &conv);
        b->skips[b->num_skips++] = x;
    }
    fum_nn_leave(&b->nn, mark);
    return x;
}

static fum_tensor *mid_block(struct build *b, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *deepest = &c->down[c->num_blocks - 1];
    if (c->mid == FUM_UNET_MID_NONE) return x;
    size_t mark = fum_nn_enter(&b->nn, "mid_block");
    x = resblock(b, 0, x, deepest->channels, c->mid_scale);
    if (c->mid == FUM_UNET_MID_ATTENTION) {
        struct fum_unet_block block = *deepest;
        block.only_cross = false;
        x = transformer(b, 0, x, &block, c->mid_depth);
        x = resblock(b, 1, x, deepest->channels, c->mid_scale);
    }
    fum_nn_leave(&b->nn, mark);
    return x;
}

static fum_tensor *up_block(struct build *b, int index, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *block = &c->up[index];
    size_t mark = fum_nn_enter(&b->nn, "up_blocks.%d", index);
    for (int i = 0; i < block->layers; i++) {
        x = fum_nn_concat(&b->nn, NULL, x, b->skips[--b->num_skips]);
        x = resblock(b, i, x, block->channels, 1);
        if (block->attention) x = transformer(b, i, x, block, block->depth[i]);
    }
    if (index + 1 < c->num_blocks) {
        struct fum_shape next = fum_tensor_shape(b->skips[b->num_skips - 1]);
        x = fum_nn_upsample(&b->nn, "upsamplers.0", x, next.dim[1], next.dim[2]);
    }
    fum_nn_leave(&b->nn, mark);
    return x;
}

fum_tensor *fum_unet_build(fum_graph *graph, const struct fum_unet_config *c,
                           const struct fum_unet_params *params) {
    struct build b = {.config = c, .params = params};
    fum_nn_init(&b.nn, graph, params->prefix);
    // A model with conditions that the caller gave no inputs for must not be built without them.
    if (!time_rows(&b) || !params->context) return NULL;
    b.context = fum_nn_stored(&b.nn, params->context);
    if (c->context_proj)
        b.context =
            fum_nn_linear(&b.nn, "encoder_hid_proj", b.context, c->down[0].context_channels, true);
    fum_tensor *x = fum_nn_stored(&b.nn, params->x);
    if (c->center_input) x = fum_nn_scale(&b.nn, NULL, x, 2, -1);
    x = fum_nn_conv(&b.nn, "conv_in", x, c->down[0].channels,
                    &(struct fum_nn_conv){.kernel = c->conv_in_kernel});
    b.skips[b.num_skips++] = x;
    for (int i = 0; i < c->num_blocks; i++) x = down_block(&b, i, x);
    x = mid_block(&b, x);
    for (int i = 0; i < c->num_blocks; i++) x = up_block(&b, i, x);
    x = fum_nn_unary(&b.nn, "silu", NULL,
                     fum_nn_group_norm(&b.nn, "conv_norm_out", x, c->groups, c->eps));
    return fum_nn_conv(&b.nn, "conv_out", x, c->out_channels,
                       &(struct fum_nn_conv){.kernel = c->conv_out_kernel});
}

int fum_unet_time_ids(const struct fum_unet_config *c, int pooled) {
    return c->text_time && pooled < c->text_time_in
               ? (c->text_time_in - pooled) / c->text_time_channels
               : 0;
}

static fum_tensor *class_input(fum_graph *graph, const struct fum_unet_config *c, int64_t batch,
                               enum fum_stage prompt) {
    static const char name[] = "class_labels";
    struct fum_shape vectors = {2, {batch, c->class_channels}};
    switch (c->class_embed) {
    case FUM_UNET_CLASS_NONE: return NULL;
    case FUM_UNET_CLASS_TABLE:
        return fum_graph_input(graph, name, (struct fum_shape){2, {1, batch}}, FUM_I32, prompt);
    case FUM_UNET_CLASS_TIMESTEP:
        return fum_graph_input(graph, name, (struct fum_shape){1, {batch}}, FUM_F32, prompt);
    default: return fum_graph_input(graph, name, vectors, graph->storage, prompt);
    }
}

void fum_unet_inputs(fum_graph *graph, const struct fum_unet_config *c,
                     const struct fum_unet_sizes *sizes, struct fum_unet_params *p) {
    // As the graph stores its values, so that ops need not mix types; times are exact in f32 only.
    enum fum_dtype storage = graph->storage;
    bool training = !sizes->steps;
    enum fum_stage run = training ? FUM_STAGE_STEP : FUM_STAGE_RUN,
                   prompt = training ? FUM_STAGE_STEP : FUM_STAGE_PROMPT;
    int64_t batch = sizes->batch, times = training ? batch : sizes->steps;
    struct fum_shape context = {3, {batch, sizes->tokens, c->context_channels}};
    p->timesteps =
        fum_graph_input(graph, "timesteps", (struct fum_shape){1, {times}}, FUM_F32, run);
    p->context = fum_graph_input(graph, "context", context, storage, prompt);
    p->class_labels = class_input(graph, c, batch, prompt);
    if (c->text_time) {
        struct fum_shape ids = {1, {batch * fum_unet_time_ids(c, sizes->pooled)}},
                         text = {2, {batch, sizes->pooled}};
        p->text_embeds = fum_graph_input(graph, "text_embeds", text, storage, prompt);
        p->time_ids = fum_graph_input(graph, "time_ids", ids, FUM_F32, prompt);
    }
    if (c->time_cond_channels) {
        struct fum_shape cond = {2, {1, c->time_cond_channels}};
        p->timestep_cond = fum_graph_input(graph, "timestep_cond", cond, storage, prompt);
    }
}
