// SPDX-License-Identifier: MIT
// Builds the UNet. Easy to get wrong:
// - The skips are taken from the end, the last one made first.
// - The context's projection is the same for all steps, so it is a node of the prompt.
#include "model/unet.h"

#include "graph/graph.h"
#include "model/unet_k.h"
#include "model/unet_time.h"

#include <stdio.h>

// Returns how many equal copies of the pictures x holds, or 1 if anything but their contexts may
// differ.
static int64_t count_copies(const struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_params *p = b->params;
    bool own_times = c->text_time || (c->class_embed && p->class_labels);
    bool other_levels = c->k_levels || c->down[0].skip;
    if (!p->one_copy || own_times || other_levels || p->hint || p->features ||
        b->nn.graph->perturbation.part != FUM_PERTURB_NONE)
        return 1;
    return fum_tensor_shape(p->x).dim[0] / fum_tensor_shape(p->one_copy).dim[0];
}

// Returns x for all copies, which the skips and what follows a cross-attention need.
static fum_tensor *for_all_copies(struct fum_unet_builder *b, fum_tensor *x) {
    return fum_nn_repeat(&b->nn, x, b->copies);
}

// Returns the settings of the next residual block.
static struct fum_nn_resblock next_resblock(struct fum_unet_builder *b, int channels,
                                            double scale) {
    const struct fum_unet_config *c = b->config;
    return (struct fum_nn_resblock){
        .out = channels,
        .groups = c->groups,
        .eps = c->eps,
        .time = b->rows[b->next_row++].row,
        .scale_shift = c->scale_shift,
        .output_scale = scale,
        .activation = c->activation,
    };
}

static fum_tensor *resblock(struct fum_unet_builder *b, int index, fum_tensor *x, int channels) {
    char name[24];
    snprintf(name, sizeof name, "resnets.%d", index);
    const struct fum_nn_resblock block = next_resblock(b, channels, 1);
    return fum_nn_resblock(&b->nn, name, x, &block);
}

static fum_tensor *mid_resblock(struct fum_unet_builder *b, const char *name, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    struct fum_nn_resblock block =
        next_resblock(b, c->down[c->num_blocks - 1].channels, c->mid_scale);
    block.groups = c->mid_resnet_groups;
    return fum_nn_resblock(&b->nn, name, x, &block);
}

static fum_tensor *transformer(struct fum_unet_builder *b, int index, fum_tensor *x,
                               const struct fum_unet_block *block, int depth) {
    char name[24];
    snprintf(name, sizeof name, "attentions.%d", index);
    struct fum_nn_transformer t = {
        .heads = block->heads,
        .depth = depth,
        .groups = b->config->groups,
        .context = b->context,
        .context_row = b->context_row,
        .only_cross = block->only_cross,
        .copies = b->copies,
    };
    if (block->only_cross) {
        x = for_all_copies(b, x);
        t.copies = 1;
    }
    b->copies = 1;
    return fum_nn_transformer(&b->nn, name, x, &t);
}

// Adds what follows residual block i.
static fum_tensor *attention(struct fum_unet_builder *b, int index, fum_tensor *x,
                             const struct fum_unet_block *block) {
    char name[24];
    switch (block->attention) {
    case FUM_UNET_NO_ATTENTION: break;
    case FUM_UNET_TRANSFORMER: return transformer(b, index, x, block, block->depth[index]);
    case FUM_UNET_PIXELS:
        snprintf(name, sizeof name, "attentions.%d", index);
        return fum_nn_pixel_attention(&b->nn, name, x,
                                      &(struct fum_nn_pixel_attention){.groups = b->config->groups,
                                                                       .eps = b->config->eps,
                                                                       .heads = block->heads,
                                                                       .inner = block->inner});
    }
    return x;
}

static fum_tensor *halve(struct fum_unet_builder *b, const struct fum_unet_block *block,
                         fum_tensor *x) {
    if (block->resnet_resample) {
        struct fum_nn_resblock resnet = next_resblock(b, block->channels, 1);
        resnet.resample = FUM_NN_HALVE;
        return fum_nn_resblock(&b->nn, "downsamplers.0", x, &resnet);
    }
    struct fum_nn_conv conv = {.stride = 2, .pad = b->config->downsample_pad};
    // Without padding diffusers pads one row and column at the end instead.
    if (!b->config->downsample_pad)
        conv = (struct fum_nn_conv){.stride = 2, .pad = FUM_NN_NO_PAD, .pad_end = 1};
    return fum_nn_downsample(&b->nn, "downsamplers.0", x, &conv);
}

// Doubles the picture to the size of the next skip.
static fum_tensor *enlarge(struct fum_unet_builder *b, const struct fum_unet_block *block,
                           fum_tensor *x) {
    struct fum_shape next = fum_tensor_shape(b->skips[b->num_skips - 1]);
    if (!block->resnet_resample)
        return fum_nn_upsample(&b->nn, "upsamplers.0", x, next.dim[1], next.dim[2]);
    struct fum_nn_resblock resnet = next_resblock(b, block->channels, 1);
    resnet.resample = FUM_NN_DOUBLE;
    resnet.height = next.dim[1];
    resnet.width = next.dim[2];
    return fum_nn_resblock(&b->nn, "upsamplers.0", x, &resnet);
}

// Adds the feature of a level, if there is one. `index` past the last level: of the middle.
static fum_tensor *add_feature(struct fum_unet_builder *b, int index, fum_tensor *x) {
    const struct fum_unet_params *p = b->params;
    return p->features && index < p->num_features ? fum_nn_add(&b->nn, NULL, x, p->features[index])
                                                  : x;
}

static fum_tensor *down_block(struct fum_unet_builder *b, int index, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *block = &c->down[index];
    size_t mark = fum_nn_enter(&b->nn, "down_blocks.%d", index);
    bool last = index + 1 == c->num_blocks;
    if (block->skip || c->k_levels) {
        x = c->k_levels ? fum_unet_k_down(b, index, x) : fum_unet_skip_down(b, block, last, x);
        fum_nn_leave(&b->nn, mark);
        return x;
    }
    for (int i = 0; i < block->layers; i++) {
        x = attention(b, i, resblock(b, i, x, block->channels), block);
        // A feature is added before a block with attention halves, and after another one does.
        if (block->attention && i + 1 == block->layers) x = add_feature(b, index, x);
        b->skips[b->num_skips++] = for_all_copies(b, x);
    }
    if (!last) {
        x = halve(b, block, x);
        b->skips[b->num_skips++] = for_all_copies(b, x);
    }
    if (!block->attention && b->params->features)
        b->skips[b->num_skips - 1] = x = add_feature(b, index, x);
    fum_nn_leave(&b->nn, mark);
    return x;
}

static fum_tensor *mid_block(struct fum_unet_builder *b, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *deepest = &c->down[c->num_blocks - 1];
    if (c->mid == FUM_UNET_MID_NONE) return x;
    size_t mark = fum_nn_enter(&b->nn, "mid_block");
    x = mid_resblock(b, "resnets.0", x);
    if (c->mid == FUM_UNET_MID_ATTENTION) {
        struct fum_unet_block block = *deepest;
        block.only_cross = false;
        x = transformer(b, 0, x, &block, c->mid_depth);
    }
    if (c->mid == FUM_UNET_MID_PIXELS)
        x = fum_nn_pixel_attention(&b->nn, "attentions.0", x,
                                   &(struct fum_nn_pixel_attention){.groups = c->mid_groups,
                                                                    .eps = c->eps,
                                                                    .heads = deepest->heads,
                                                                    .inner = deepest->inner,
                                                                    .output_scale = c->mid_scale});
    if (c->mid != FUM_UNET_MID_RESNET) x = mid_resblock(b, "resnets.1", x);
    fum_nn_leave(&b->nn, mark);
    return x;
}

static fum_tensor *up_block(struct fum_unet_builder *b, int index, fum_tensor *x) {
    const struct fum_unet_config *c = b->config;
    const struct fum_unet_block *block = &c->up[index];
    size_t mark = fum_nn_enter(&b->nn, "up_blocks.%d", index);
    bool last = index + 1 == c->num_blocks;
    if (block->skip || c->k_levels) {
        x = c->k_levels ? fum_unet_k_up(b, index, x) : fum_unet_skip_up(b, block, last, x);
        fum_nn_leave(&b->nn, mark);
        return x;
    }
    for (int i = 0; i < block->layers; i++) {
        // The concatenation is part of the residual block, so that training need not keep it.
        fum_graph_begin_block(b->nn.graph);
        fum_tensor *skip = b->skips[--b->num_skips];
        fum_unet_freeu(b, index, i, &x, &skip);
        x = fum_nn_concat(&b->nn, NULL, x, skip);
        x = resblock(b, i, x, block->channels);
        fum_graph_end_block(b->nn.graph);
        x = attention(b, i, x, block);
    }
    if (!last) x = enlarge(b, block, x);
    fum_nn_leave(&b->nn, mark);
    return x;
}

// Adds the context as the transformers read it. Returns false if the caller gave none: a model
// with conditions must not be built without them.
static bool project_context(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    if (!c->context_channels) return true;
    b->context = fum_nn_stored(&b->nn, b->params->context);
    if (c->context_proj)
        b->context = fum_nn_linear(&b->nn, "encoder_hid_proj", b->context,
                                   c->down[0].context_channels, true);
    // Keys and values of every context are made once; a step reads its row.
    if (b->params->context_rows)
        b->context_row =
            fum_graph_add(b->nn.graph, "step_row", NULL,
                          FUM_INPUTS(b->params->context_rows, b->params->counter), NULL);
    return b->context && (b->context_row || !b->params->context_rows);
}

fum_tensor *fum_unet_encode(struct fum_unet_builder *b) {
    const struct fum_unet_config *c = b->config;
    if (!fum_unet_time_rows(b) || !project_context(b)) return NULL;
    b->copies = count_copies(b);
    fum_tensor *x = fum_nn_stored(&b->nn, b->copies > 1 ? b->params->one_copy : b->params->x);
    if (c->center_input) x = fum_nn_scale(&b->nn, NULL, x, 2, -1);
    b->picture = x;
    x = fum_nn_conv(&b->nn, "conv_in", x, c->down[0].channels,
                    &(struct fum_nn_conv){.kernel = c->conv_in_kernel});
    if (b->params->hint) x = fum_nn_add(&b->nn, NULL, x, b->params->hint);
    b->skips[b->num_skips++] = for_all_copies(b, x);
    for (int i = 0; i < c->num_blocks; i++) x = down_block(b, i, x);
    x = mid_block(b, x);
    return add_feature(b, c->num_blocks, for_all_copies(b, x));
}

static fum_tensor *norm_out(struct fum_unet_builder *b, fum_tensor *x) {
    if (!b->config->groups) return x;
    x = fum_nn_group_norm(&b->nn, "conv_norm_out", x, b->config->groups, b->config->eps);
    return fum_nn_unary(&b->nn, "silu", NULL, x);
}

// Adds the residuals to the skips. Returns the middle's result with its own.
static fum_tensor *add_residuals(struct fum_unet_builder *b, fum_tensor *x) {
    const struct fum_unet_params *p = b->params;
    if (p->num_residuals != b->num_skips + 1) {
        fum_graph_fail(b->nn.graph, FUM_ERR_ARG, "%d residuals for %d skips and the middle",
                       p->num_residuals, b->num_skips);
        return NULL;
    }
    for (int i = 0; i < b->num_skips; i++)
        b->skips[i] = fum_nn_add(&b->nn, NULL, b->skips[i], p->residuals[i]);
    return fum_nn_add(&b->nn, NULL, x, p->residuals[b->num_skips]);
}

fum_tensor *fum_unet_build(fum_graph *graph, const struct fum_unet_config *c,
                           const struct fum_unet_params *params) {
    struct fum_unet_builder b = {.config = c, .params = params};
    fum_nn_init(&b.nn, graph, params->prefix);
    fum_tensor *x = fum_unet_encode(&b);
    if (x && params->residuals) x = add_residuals(&b, x);
    if (!x) return NULL;
    for (int i = 0; i < c->num_blocks; i++) x = up_block(&b, i, x);
    x = fum_nn_conv(&b.nn, "conv_out", norm_out(&b, x), c->out_channels,
                    &(struct fum_nn_conv){.kernel = c->conv_out_kernel});
    if (b.drawn) x = fum_nn_add(&b.nn, NULL, x, b.drawn);
    return c->fourier ? fum_unet_divide_by_times(&b, x) : x;
}

bool fum_unet_classifier(fum_graph *graph, const struct fum_unet_config *c,
                         const struct fum_unet_params *params, int classes,
                         struct fum_classifier_outputs *outputs) {
    struct fum_unet_builder b = {.config = c, .params = params, .encoder = true};
    fum_nn_init(&b.nn, graph, params->prefix);
    *outputs = (struct fum_classifier_outputs){0};
    fum_tensor *x = fum_nn_tokens(&b.nn, norm_out(&b, fum_unet_encode(&b)));
    struct fum_shape s = fum_tensor_shape(x);
    const struct fum_attr sum[] = {
        {"rank", 3}, {"d0", (double)s.dim[0]}, {"d1", 1}, {"d2", (double)s.dim[2]}, {0}};
    if (!x) return false;
    x = fum_graph_add(graph, "reduce_sum", NULL, FUM_INPUTS(x), sum);
    x = fum_nn_scale(&b.nn, NULL, x, 1 / (double)s.dim[1], 0);
    outputs->features =
        fum_nn_reshape(&b.nn, "features", x, (struct fum_shape){2, {s.dim[0], s.dim[2]}});
    outputs->logits = fum_nn_linear(&b.nn, "classifier", outputs->features, classes, true);
    return outputs->logits != NULL;
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
    bool chooses = sizes->contexts > 1;
    int64_t contexts = chooses ? sizes->contexts : 1, texts = chooses ? times * batch : batch;
    struct fum_shape context = {3, {contexts * batch, sizes->tokens, c->context_channels}};
    p->timesteps =
        fum_graph_input(graph, "timesteps", (struct fum_shape){1, {times}}, FUM_F32, run);
    if (c->context_channels)
        p->context = fum_graph_input(graph, "context", context, storage, prompt);
    if (c->context_channels && chooses)
        p->context_rows =
            fum_graph_input(graph, "context_rows", (struct fum_shape){2, {times, 1}}, FUM_I32, run);
    p->class_labels = class_input(graph, c, batch, prompt);
    if (c->text_time) {
        struct fum_shape ids = {1, {texts * fum_unet_time_ids(c, sizes->pooled)}},
                         text = {2, {texts, sizes->pooled}};
        p->text_embeds = fum_graph_input(graph, "text_embeds", text, storage, prompt);
        p->time_ids = fum_graph_input(graph, "time_ids", ids, FUM_F32, prompt);
    }
    if (c->time_cond_channels) {
        struct fum_shape cond = {2, {1, c->time_cond_channels}};
        p->timestep_cond = fum_graph_input(graph, "timestep_cond", cond, storage, prompt);
    }
}
