// SPDX-License-Identifier: MIT
// Builds the VAE. Easy to get wrong:
// - The encoder's downsampling pads only at the bottom and right.
// - Norms have eps 1e-6.
// - The attention has one head over all channels.
// - Decoder blocks have one residual block more than encoder blocks.
#include "model/vae.h"

#include "base/macros.h"
#include "model/config.h"
#include "model/vae_passes.h"
#include "nn/nn.h"

#include <stdio.h>
#include <string.h>

const double fum_vae_norm_eps = 1e-6;

static void check_types(struct fum_config *c, const char *key, const char *wanted, int count) {
    if (!fum_config_has(c, key)) return;
    if (fum_config_list(c, key, FUM_VAE_MAX_BLOCKS) != count)
        fum_config_fail(c, key, "must list %d blocks, one for each of block_out_channels", count);
    for (int i = 0; i < count && !c->result; i++)
        if (strcmp(fum_config_list_string(c, key, i), wanted)) fum_config_unsupported(c, key);
}

static void parse_kl(struct fum_vae_config *v, struct fum_config *c) {
    v->num_blocks = fum_config_list(c, "block_out_channels", FUM_VAE_MAX_BLOCKS);
    v->layers = fum_config_int(c, "layers_per_block", 1, 1, 16);
    v->groups = fum_config_int(c, "norm_num_groups", 32, 1, 1 << 16);
    v->mid_attention = fum_config_bool(c, "mid_block_add_attention", true);
    v->quant_conv = fum_config_bool(c, "use_quant_conv", true);
    v->post_quant_conv = fum_config_bool(c, "use_post_quant_conv", true);
    v->scale = fum_config_number(c, "scaling_factor", 0.18215, 1e-6, 1e6);
    v->code_channels = 2 * v->latent_channels;
    if (!v->num_blocks)
        fum_config_fail(c, "block_out_channels", "is missing: this is no AutoencoderKL");
    fum_config_only(c, "act_fn", 0, "silu");
    check_types(c, "down_block_types", "DownEncoderBlock2D", v->num_blocks);
    check_types(c, "up_block_types", "UpDecoderBlock2D", v->num_blocks);
    if (c->result) return;
    fum_config_ints(c, "block_out_channels",
                    &(struct fum_config_list){v->channels, v->num_blocks, 0, 1, 1 << 16});
    for (int i = 0; i < v->num_blocks && !c->result; i++)
        if (v->channels[i] % v->groups)
            fum_config_fail(c, "norm_num_groups", "is %d, which does not divide %d channels",
                            v->groups, v->channels[i]);
}

// Returns the kind of a class. AutoencoderKL's stands for all that are not listed, such as VQModel.
static const struct fum_vae_kind *find_kind(struct fum_config *c) {
    static const struct fum_vae_kind *const kinds[] = {&fum_vae_kl, &fum_vae_tiny};
    const char *name = fum_config_string(c, "_class_name", kinds[0]->class_name);
    for (size_t i = 0; i < FUM_COUNT(kinds); i++)
        if (!strcmp(kinds[i]->class_name, name)) return kinds[i];
    return kinds[0];
}

enum fum_result fum_vae_config_parse(struct fum_vae_config *v, const cJSON *json, const char *where,
                                     struct fum_error *err) {
    struct fum_config c = {.json = json, .where = where, .err = err};
    *v = (struct fum_vae_config){
        .kind = find_kind(&c),
        .in_channels = fum_config_int(&c, "in_channels", 3, 1, 64),
        .out_channels = fum_config_int(&c, "out_channels", 3, 1, 64),
        .latent_channels = fum_config_int(&c, "latent_channels", 4, 1, FUM_VAE_MAX_LATENT),
        .shift = fum_config_number(&c, "shift_factor", 0, -1e6, 1e6),
    };
    v->kind->parse(v, &c);
    if (c.result) return c.result;
    v->has_stats = fum_config_floats(&c, "latents_mean", v->mean, v->latent_channels) &&
                   fum_config_floats(&c, "latents_std", v->std, v->latent_channels);
    for (int i = 0; v->has_stats && i < v->latent_channels; i++)
        if (!(v->std[i] > 0))
            fum_config_fail(&c, "latents_std", "holds %g; it must be over 0", (double)v->std[i]);
    return c.result;
}

int fum_vae_factor(const struct fum_vae_config *v) {
    return 1 << (v->num_blocks - 1);
}

static fum_tensor *resblock(struct fum_nn *nn, const struct fum_vae_config *v, int index,
                            fum_tensor *x, int channels) {
    char name[24];
    snprintf(name, sizeof name, "resnets.%d", index);
    struct fum_nn_resblock block = {.out = channels, .groups = v->groups, .eps = fum_vae_norm_eps};
    return fum_nn_resblock(nn, name, x, &block);
}

static fum_tensor *mid_block(struct fum_nn *nn, const struct fum_vae_config *v, fum_tensor *x) {
    int channels = v->channels[v->num_blocks - 1];
    size_t mark = fum_nn_enter(nn, "mid_block");
    x = resblock(nn, v, 0, x, channels);
    if (v->mid_attention)
        x = fum_nn_pixel_attention(
            nn, "attentions.0", x,
            &(struct fum_nn_pixel_attention){
                .groups = v->groups, .eps = fum_vae_norm_eps, .heads = 1, .apart = true});
    x = resblock(nn, v, 1, x, channels);
    fum_nn_leave(nn, mark);
    return x;
}

static fum_tensor *conv_out(struct fum_nn *nn, const struct fum_vae_config *v, fum_tensor *x,
                            int channels) {
    x = fum_nn_unary(nn, "silu", NULL,
                     fum_nn_group_norm(nn, "conv_norm_out", x, v->groups, fum_vae_norm_eps));
    return fum_nn_conv(nn, "conv_out", x, channels, NULL);
}

fum_tensor *fum_vae_decode_head(fum_graph *graph, const struct fum_vae_config *v,
                                const char *prefix, fum_tensor *z, int last) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    int n = v->num_blocks;
    z = fum_nn_stored(&nn, z);
    if (v->post_quant_conv)
        z = fum_nn_conv(&nn, "post_quant_conv", z, v->latent_channels,
                        &(struct fum_nn_conv){.kernel = 1});
    size_t mark = fum_nn_enter(&nn, "decoder");
    fum_tensor *x = fum_nn_conv(&nn, "conv_in", z, v->channels[n - 1], NULL);
    x = mid_block(&nn, v, x);
    for (int i = 0; i <= last; i++) {
        size_t block = fum_nn_enter(&nn, "up_blocks.%d", i);
        for (int j = 0; j <= v->layers; j++) x = resblock(&nn, v, j, x, v->channels[n - 1 - i]);
        struct fum_shape s = fum_tensor_shape(x);
        if (i < last) x = fum_nn_upsample(&nn, "upsamplers.0", x, 2 * s.dim[1], 2 * s.dim[2]);
        fum_nn_leave(&nn, block);
    }
    fum_nn_leave(&nn, mark);
    return x;
}

fum_tensor *fum_vae_decode(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                           fum_tensor *z) {
    return v->kind->decode(graph, v, prefix, z);
}

void fum_vae_encode(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                    fum_tensor *pixels, struct fum_vae_moments *moments) {
    v->kind->encode(graph, v, prefix, pixels, moments);
}

static fum_tensor *decode_kl(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                             fum_tensor *z) {
    struct fum_nn nn;
    fum_tensor *x = fum_vae_decode_head(graph, v, prefix, z, v->num_blocks - 1);
    fum_nn_init(&nn, graph, prefix);
    size_t mark = fum_nn_enter(&nn, "decoder");
    x = conv_out(&nn, v, x, v->out_channels);
    fum_nn_leave(&nn, mark);
    return x;
}

const struct fum_nn_conv fum_vae_halving = {.stride = 2, .pad = FUM_NN_NO_PAD, .pad_end = 1};

int fum_vae_tail_level(const struct fum_vae_config *v, int block) {
    return block < v->num_blocks ? v->num_blocks - 1 - block : 0;
}

int fum_vae_tail_channels(const struct fum_vae_config *v, int block) {
    return block ? v->channels[block - 1] : v->in_channels;
}

// Adds the encoder from block `first` on, and quant_conv, which gives `channels`.
static fum_tensor *encode_from(struct fum_nn *nn, const struct fum_vae_config *v, fum_tensor *x,
                               int first, int channels) {
    size_t mark = fum_nn_enter(nn, "encoder");
    if (first == 0) x = fum_nn_conv(nn, "conv_in", fum_nn_stored(nn, x), v->channels[0], NULL);
    for (int i = first; i < v->num_blocks; i++) {
        size_t block = fum_nn_enter(nn, "down_blocks.%d", i);
        for (int j = 0; j < v->layers; j++) x = resblock(nn, v, j, x, v->channels[i]);
        if (i + 1 < v->num_blocks) x = fum_nn_downsample(nn, "downsamplers.0", x, &fum_vae_halving);
        fum_nn_leave(nn, block);
    }
    x = conv_out(nn, v, mid_block(nn, v, x), channels);
    fum_nn_leave(nn, mark);
    if (v->quant_conv)
        x = fum_nn_conv(nn, "quant_conv", x, v->code_channels, &(struct fum_nn_conv){.kernel = 1});
    return x;
}

fum_tensor *fum_vae_encode_codes(fum_graph *graph, const struct fum_vae_config *v,
                                 const char *prefix, fum_tensor *pixels, int encoder_channels) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    return encode_from(&nn, v, pixels, 0, encoder_channels);
}

// Adds the encoder from block `first` on, and the mean and the variance that it gives.
static void add_moments(struct fum_nn *nn, const struct fum_vae_config *v, fum_tensor *x, int first,
                        struct fum_vae_moments *moments) {
    x = encode_from(nn, v, x, first, v->code_channels);
    moments->mean = fum_nn_slice(nn, "mean", x, (struct fum_nn_range){3, 0, v->latent_channels});
    fum_tensor *logvar =
        fum_nn_slice(nn, NULL, x, (struct fum_nn_range){3, v->latent_channels, v->latent_channels});
    struct fum_attr range[] = {{"min", -30}, {"max", 20}, {0}};
    moments->logvar =
        logvar ? fum_graph_add(nn->graph, "clamp", "logvar", FUM_INPUTS(logvar), range) : NULL;
}

static void encode_kl(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                      fum_tensor *pixels, struct fum_vae_moments *moments) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    add_moments(&nn, v, pixels, 0, moments);
}

void fum_vae_encode_tail(fum_graph *graph, const struct fum_vae_config *v, fum_tensor *x, int block,
                         struct fum_vae_moments *moments) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    add_moments(&nn, v, x, block, moments);
}

const struct fum_vae_kind fum_vae_kl = {.class_name = "AutoencoderKL",
                                        .parse = parse_kl,
                                        .decode = decode_kl,
                                        .encode = encode_kl,
                                        .posterior = true,
                                        .banded = true};

// Returns x · mul[c] + add[c].
static fum_tensor *per_channel(fum_graph *graph, fum_tensor *x, int channels, const float *mul,
                               const float *add) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    struct fum_shape shape = {1, {channels}};
    x = fum_nn_mul(&nn, NULL, x, fum_graph_constant(graph, "latents_mul", shape, mul));
    return fum_nn_add(&nn, NULL, x, fum_graph_constant(graph, "latents_add", shape, add));
}

fum_tensor *fum_vae_scale(fum_graph *graph, const struct fum_vae_config *v, fum_tensor *z) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    if (!v->has_stats) return fum_nn_scale(&nn, NULL, z, v->scale, -v->shift * v->scale);
    float mul[FUM_VAE_MAX_LATENT], add[FUM_VAE_MAX_LATENT];
    for (int i = 0; i < v->latent_channels; i++) {
        mul[i] = (float)(v->scale / v->std[i]);
        add[i] = (float)(-v->mean[i] * v->scale / v->std[i]);
    }
    return per_channel(graph, z, v->latent_channels, mul, add);
}

fum_tensor *fum_vae_unscale(fum_graph *graph, const struct fum_vae_config *v, fum_tensor *z) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    if (!v->has_stats) return fum_nn_scale(&nn, NULL, z, 1 / v->scale, v->shift);
    float mul[FUM_VAE_MAX_LATENT];
    for (int i = 0; i < v->latent_channels; i++) mul[i] = (float)(v->std[i] / v->scale);
    return per_channel(graph, z, v->latent_channels, mul, v->mean);
}
