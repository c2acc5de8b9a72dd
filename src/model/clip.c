// SPDX-License-Identifier: MIT
// Builds text encoders. Easy to get wrong:
// - The mask is causal.
// - The pooled value comes from the last layer with the final norm, even if the hidden states come
// from an earlier one.
// - SD1 and SD2 pass a skipped layer's states through the final norm; SDXL does not.
// - Configurations from before transformers 4.30 have eos_token_id 2 and mean the largest id.
#include "model/clip.h"

#include "base/macros.h"
#include "graph/graph.h"
#include "model/config.h"
#include "nn/nn.h"

#include <string.h>

enum { MAX_LAYERS = 64 };

static const char *activation_op(struct fum_config *c) {
    static const char *const names[][2] = {
        {"quick_gelu", "quick_gelu"},       {"gelu", "gelu"}, {"gelu_new", "gelu_tanh"},
        {"gelu_pytorch_tanh", "gelu_tanh"}, {"silu", "silu"},
    };
    const char *name = fum_config_string(c, "hidden_act", "quick_gelu");
    for (size_t i = 0; i < FUM_COUNT(names); i++)
        if (!strcmp(names[i][0], name)) return names[i][1];
    fum_config_unsupported(c, "hidden_act");
    return "gelu";
}

enum fum_result fum_clip_config_parse(struct fum_clip_config *config, const cJSON *json,
                                      bool projected, const char *where, struct fum_error *err) {
    struct fum_config c = {.json = json, .where = where, .err = err};
    *config = (struct fum_clip_config){
        .vocab = fum_config_int(&c, "vocab_size", 49408, 1, 1 << 24),
        .positions = fum_config_int(&c, "max_position_embeddings", 77, 2, 1 << 16),
        .channels = fum_config_int(&c, "hidden_size", 512, 1, 1 << 16),
        .ff_channels = fum_config_int(&c, "intermediate_size", 2048, 1, 1 << 18),
        .layers = fum_config_int(&c, "num_hidden_layers", 12, 1, MAX_LAYERS),
        .heads = fum_config_int(&c, "num_attention_heads", 8, 1, 1 << 12),
        .eps = fum_config_number(&c, "layer_norm_eps", 1e-5, 0, 1),
        .activation = activation_op(&c),
        .eos = fum_config_int(&c, "eos_token_id", 49407, 0, 1 << 24),
    };
    // Every CLIPTextConfig has projection_dim; only the class with a projection uses it.
    if (projected) config->projection = fum_config_int(&c, "projection_dim", 512, 1, 1 << 16);
    if (config->channels % config->heads)
        fum_config_fail(&c, "num_attention_heads", "is %d, which does not divide hidden_size %d",
                        config->heads, config->channels);
    return c.result;
}

static fum_tensor *embed(struct fum_nn *nn, const struct fum_clip_config *config,
                         const struct fum_clip_params *params) {
    fum_tensor *ids = params->ids, *x = params->embedded;
    size_t mark = fum_nn_enter(nn, "embeddings");
    if (!x) x = fum_nn_embedding(nn, "token_embedding", ids, config->vocab, config->channels);
    struct fum_shape shape = {2, {config->positions, config->channels}};
    fum_tensor *positions = fum_nn_weight(nn, "position_embedding", "weight", shape, FUM_PACK_NONE);
    int64_t tokens = fum_nn_channels(ids);
    if (tokens != config->positions)
        positions = fum_nn_slice(nn, NULL, positions, (struct fum_nn_range){0, 0, tokens});
    x = fum_nn_add(nn, "", x, positions);
    fum_nn_leave(nn, mark);
    return x;
}

static fum_tensor *layer(struct fum_nn *nn, const struct fum_clip_config *config, int index,
                         fum_tensor *x) {
    static const struct fum_nn_attention names = {.q = "q_proj",
                                                  .k = "k_proj",
                                                  .v = "v_proj",
                                                  .out = "out_proj",
                                                  .causal = true,
                                                  .bias = true};
    struct fum_nn_attention self = names;
    self.heads = config->heads;
    size_t mark = fum_nn_enter(nn, "encoder.layers.%d", index);
    fum_graph_begin_block(nn->graph);
    fum_tensor *h = fum_nn_attention(nn, "self_attn",
                                     fum_nn_layer_norm(nn, "layer_norm1", x, config->eps), &self);
    x = fum_nn_add(nn, NULL, h, x);
    h = fum_nn_linear(nn, "mlp.fc1", fum_nn_layer_norm(nn, "layer_norm2", x, config->eps),
                      config->ff_channels, true);
    h = fum_nn_linear(nn, "mlp.fc2", fum_nn_unary(nn, config->activation, NULL, h),
                      config->channels, true);
    x = fum_nn_add(nn, "", h, x);
    fum_graph_end_block(nn->graph);
    fum_nn_leave(nn, mark);
    return x;
}

// Returns the end token's state of each row, projected.
static fum_tensor *pool(struct fum_nn *nn, const struct fum_clip_config *config, fum_tensor *last,
                        fum_tensor *ends) {
    struct fum_shape s = fum_tensor_shape(last);
    fum_tensor *rows =
        fum_nn_reshape(nn, NULL, last, (struct fum_shape){2, {s.dim[0] * s.dim[1], s.dim[2]}});
    if (!rows || !ends) return NULL;
    fum_tensor *x = fum_graph_add(nn->graph, "embedding", NULL, FUM_INPUTS(ends, rows), NULL);
    x = fum_nn_reshape(nn, NULL, x, (struct fum_shape){2, {s.dim[0], s.dim[2]}});
    return config->projection ? fum_nn_linear(nn, "text_projection", x, config->projection, false)
                              : x;
}

void fum_clip_build(fum_graph *graph, const struct fum_clip_config *config,
                    const struct fum_clip_params *params, struct fum_clip_outputs *outputs) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, params->prefix);
    size_t mark = fum_nn_enter(&nn, "text_model");
    int taken = config->layers - params->skip; // `hidden` is what this many layers give
    if (taken < 0) taken = 0;
    fum_tensor *x = embed(&nn, config, params), *hidden = x;
    for (int i = 0; i < (params->ends ? config->layers : taken); i++) {
        x = layer(&nn, config, i, x);
        if (i + 1 == taken) hidden = x;
    }
    bool of_last = params->ends || (hidden == x && !params->skip_norm);
    fum_tensor *last = of_last ? fum_nn_layer_norm(&nn, "final_layer_norm", x, config->eps) : NULL;
    if (!params->skip_norm)
        hidden =
            hidden == x ? last : fum_nn_layer_norm(&nn, "final_layer_norm", hidden, config->eps);
    fum_nn_leave(&nn, mark);
    outputs->hidden = hidden;
    outputs->pooled = params->ends ? pool(&nn, config, last, params->ends) : NULL;
}

int fum_clip_end(const struct fum_clip_config *config, const int32_t *ids, int count) {
    int best = 0;
    for (int i = 0; i < count; i++) {
        if (config->eos != 2 && ids[i] == config->eos) return i;
        if (config->eos == 2 && ids[i] > ids[best]) best = i;
    }
    return best;
}
