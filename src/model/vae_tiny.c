// SPDX-License-Identifier: MIT
// Builds diffusers' AutoencoderTiny: TAESD and its kin (madebyollin/taesd), small networks that
// stand for a model's VAE. Their latents are the model's own, without scale or distribution. Those
// for FLUX.2 pool the blocks of the lowest resolution, which diffusers' class does not know.
#include "model/config.h"
#include "model/vae.h"
#include "nn/nn.h"

#include <stdio.h>

enum { POOL_GROWTH = 4, POOL_GROUPS = 4, MAX_BLOCKS = 64 };

static const double pool_eps = 1e-5;
static const struct fum_nn_conv pointwise = {.kernel = 1, .no_bias = true},
                                halving = {.stride = 2, .no_bias = true},
                                without_bias = {.no_bias = true};

// Reads the blocks of each level. Returns the number of levels.
static int read_blocks(struct fum_config *c, const char *key, int *blocks, const int *usual) {
    for (int i = 0; i < 4; i++) blocks[i] = usual[i];
    if (!fum_config_has(c, key)) return 4;
    int count = fum_config_list(c, key, FUM_VAE_MAX_BLOCKS);
    if (count) fum_config_ints(c, key, &(struct fum_config_list){blocks, count, 0, 0, MAX_BLOCKS});
    return count;
}

// Reads the channels of the levels, which have as many all.
static int read_channels(struct fum_config *c, const char *key, int levels) {
    int channels[FUM_VAE_MAX_BLOCKS];
    fum_config_ints(c, key, &(struct fum_config_list){channels, levels, 64, 1, 1 << 16});
    for (int i = 1; i < levels && !c->result; i++)
        if (channels[i] != channels[0]) fum_config_unsupported(c, key);
    return levels ? channels[0] : 0;
}

static void parse_tiny(struct fum_vae_config *v, struct fum_config *c) {
    static const int encoder[] = {1, 3, 3, 3}, decoder[] = {3, 3, 3, 1};
    int levels = read_blocks(c, "num_encoder_blocks", v->encoder_blocks, encoder);
    v->decoder_only = levels == 0;
    v->num_blocks = read_blocks(c, "num_decoder_blocks", v->decoder_blocks, decoder);
    v->pooled = fum_config_bool(c, "use_midblock_gn", false);
    v->scale = fum_config_number(c, "scaling_factor", 1, 1e-6, 1e6);
    v->code_channels = v->latent_channels;
    if (!v->num_blocks || (levels && levels != v->num_blocks))
        fum_config_fail(c, "num_decoder_blocks", "must list as many levels as num_encoder_blocks");
    fum_config_only(c, "act_fn", 0, "relu");
    fum_config_only(c, "upsample_fn", 0, "nearest");
    fum_config_only(c, "upsampling_scaling_factor", 2, NULL);
    if (c->result) return;
    int inner = read_channels(c, "decoder_block_out_channels", v->num_blocks);
    if (levels && read_channels(c, "encoder_block_out_channels", levels) != inner)
        fum_config_unsupported(c, "encoder_block_out_channels");
    for (int i = 0; i < v->num_blocks; i++) v->channels[i] = inner;
}

// ---- the network ----

static fum_tensor *conv(struct fum_nn *nn, int layer, fum_tensor *x, int channels,
                        const struct fum_nn_conv *how) {
    char name[24];
    snprintf(name, sizeof name, "layers.%d", layer);
    return fum_nn_conv(nn, name, x, channels, how);
}

// Adds a block: three convolutions beside the value itself, which a norm over it may extend first.
static fum_tensor *block(struct fum_nn *nn, int layer, fum_tensor *x, bool pooled) {
    int channels = (int)fum_nn_channels(x);
    size_t mark = fum_nn_enter(nn, "layers.%d", layer);
    if (pooled) {
        fum_tensor *pool = fum_nn_conv(nn, "pool.0", x, POOL_GROWTH * channels, &pointwise);
        pool = fum_nn_group_norm(nn, "pool.1", pool, POOL_GROUPS, pool_eps);
        pool =
            fum_nn_conv(nn, "pool.3", fum_nn_unary(nn, "relu", NULL, pool), channels, &pointwise);
        x = fum_nn_add(nn, NULL, x, pool);
    }
    fum_tensor *y = fum_nn_unary(nn, "relu", NULL, fum_nn_conv(nn, "conv.0", x, channels, NULL));
    y = fum_nn_unary(nn, "relu", NULL, fum_nn_conv(nn, "conv.2", y, channels, NULL));
    y = fum_nn_add(nn, NULL, fum_nn_conv(nn, "conv.4", y, channels, NULL), x);
    fum_nn_leave(nn, mark);
    return fum_nn_unary(nn, "relu", NULL, y);
}

// Clamps smoothly to [-3, 3].
static fum_tensor *soften(struct fum_nn *nn, fum_tensor *z) {
    z = fum_nn_unary(nn, "tanh", NULL, fum_nn_scale(nn, NULL, z, 1.0 / 3, 0));
    return fum_nn_scale(nn, NULL, z, 3, 0);
}

static fum_tensor *decode_tiny(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                               fum_tensor *z) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    fum_tensor *x = soften(&nn, fum_nn_stored(&nn, z));
    size_t mark = fum_nn_enter(&nn, "decoder");
    int channels = v->channels[0], layer = 2; // the second is an activation
    x = fum_nn_unary(&nn, "relu", NULL, conv(&nn, 0, x, channels, NULL));
    for (int i = 0; i < v->num_blocks; i++) {
        bool last = i + 1 == v->num_blocks;
        for (int k = 0; k < v->decoder_blocks[i]; k++)
            x = block(&nn, layer++, x, v->pooled && i == 0);
        if (last || !x) break;
        struct fum_shape s = fum_tensor_shape(x);
        x = fum_nn_double(&nn, x, 2 * s.dim[1], 2 * s.dim[2]);
        layer++; // of the doubling
        x = conv(&nn, layer++, x, channels, &without_bias);
    }
    x = conv(&nn, layer, x, v->out_channels, NULL);
    fum_nn_leave(&nn, mark);
    return fum_nn_scale(&nn, NULL, x, 2, -1);
}

static void encode_tiny(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                        fum_tensor *pixels, struct fum_vae_moments *moments) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    fum_tensor *x = fum_nn_scale(&nn, NULL, fum_nn_stored(&nn, pixels), 0.5, 0.5);
    size_t mark = fum_nn_enter(&nn, "encoder");
    int layer = 0;
    for (int i = 0; i < v->num_blocks; i++) {
        x = conv(&nn, layer++, x, v->channels[0], i ? &halving : NULL);
        for (int k = 0; k < v->encoder_blocks[i]; k++)
            x = block(&nn, layer++, x, v->pooled && i + 1 == v->num_blocks);
    }
    moments->mean = conv(&nn, layer, x, v->latent_channels, NULL);
    fum_nn_leave(&nn, mark);
    struct fum_attr none[] = {{"min", -30}, {"max", -30}, {0}};
    moments->logvar = moments->mean
                          ? fum_graph_add(graph, "clamp", "logvar", FUM_INPUTS(moments->mean), none)
                          : NULL;
}

const struct fum_vae_kind fum_vae_tiny = {.class_name = "AutoencoderTiny",
                                          .parse = parse_tiny,
                                          .decode = decode_tiny,
                                          .encode = encode_tiny,
                                          .fits_f16 = true};
