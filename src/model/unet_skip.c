// SPDX-License-Identifier: MIT
// Builds the levels of NCSN++ (Song et al. 2021, appendix H), diffusers' Skip blocks. Easy to get
// wrong:
// - The picture itself is halved beside the network, and added after a 1×1 convolution.
// - On the way up every level draws a picture, which is doubled and added up to the last size.
// - Norms have a quarter of their channels as groups, at most 32, and attention always 32.
// - On the way up, attention follows the last residual block alone.
#include "model/unet_time.h"

#include <math.h>
#include <stdio.h>

// Returns the settings of the next residual block, with the groups of its first norm.
static struct fum_nn_resblock next_resblock(struct fum_unet_builder *b, int groups, int out) {
    const struct fum_unet_config *c = b->config;
    return (struct fum_nn_resblock){
        .out = out,
        .groups = groups,
        .groups_out = fum_unet_skip_groups(out),
        .eps = c->eps,
        .time = b->rows[b->next_row++].row,
        .scale_shift = c->scale_shift,
        .output_scale = sqrt(2),
        .activation = c->activation,
    };
}

static fum_tensor *resblock(struct fum_unet_builder *b, int index, fum_tensor *x,
                            const struct fum_nn_resblock *block) {
    char name[24];
    snprintf(name, sizeof name, "resnets.%d", index);
    return fum_nn_resblock(&b->nn, name, x, block);
}

static fum_tensor *attention(struct fum_unet_builder *b, int index, fum_tensor *x,
                             const struct fum_unet_block *block) {
    char name[24];
    if (!block->attention) return x;
    snprintf(name, sizeof name, "attentions.%d", index);
    return fum_nn_pixel_attention(&b->nn, name, x,
                                  &(struct fum_nn_pixel_attention){.groups = FUM_UNET_SKIP_GROUPS,
                                                                   .eps = b->config->eps,
                                                                   .heads = block->heads,
                                                                   .inner = block->inner,
                                                                   .output_scale = sqrt(2)});
}

fum_tensor *fum_unet_skip_down(struct fum_unet_builder *b, const struct fum_unet_block *block,
                               bool last, fum_tensor *x) {
    for (int i = 0; i < block->layers; i++) {
        const struct fum_nn_resblock resnet =
            next_resblock(b, fum_unet_skip_groups((int)fum_nn_channels(x)), block->channels);
        x = attention(b, i, resblock(b, i, x, &resnet), block);
        b->skips[b->num_skips++] = x;
    }
    if (last) return x;
    struct fum_nn_resblock halves =
        next_resblock(b, fum_unet_skip_groups(block->channels), block->channels);
    halves.shortcut = true;
    halves.resample = FUM_NN_SMOOTH_HALVE;
    x = fum_nn_resblock(&b->nn, "resnet_down", x, &halves);
    b->picture = fum_nn_smooth_halve(&b->nn, b->picture);
    fum_tensor *added = fum_nn_conv(&b->nn, "skip_conv", b->picture, block->channels,
                                    &(struct fum_nn_conv){.kernel = 1});
    x = fum_nn_add(&b->nn, NULL, added, x);
    b->skips[b->num_skips++] = x;
    return x;
}

// Adds the level's own picture to what was drawn so far.
static void draw(struct fum_unet_builder *b, const struct fum_unet_block *block, fum_tensor *x) {
    x = fum_nn_group_norm(&b->nn, "skip_norm", x, fum_unet_skip_groups(block->channels),
                          b->config->eps);
    x = fum_nn_conv(&b->nn, "skip_conv", fum_nn_unary(&b->nn, "silu", NULL, x),
                    b->config->out_channels, NULL);
    b->drawn = b->drawn ? fum_nn_add(&b->nn, NULL, b->drawn, x) : x;
}

// Returns the groups of a norm over x and a skip. In diffusers' AttnSkipUpBlock2D a division binds
// the skip alone.
static int groups_up(const struct fum_unet_block *block, int x, int skip) {
    if (!block->attention) return fum_unet_skip_groups(x + skip);
    return x + skip / 4 < FUM_UNET_SKIP_GROUPS ? x + skip / 4 : FUM_UNET_SKIP_GROUPS;
}

fum_tensor *fum_unet_skip_up(struct fum_unet_builder *b, const struct fum_unet_block *block,
                             bool last, fum_tensor *x) {
    for (int i = 0; i < block->layers; i++) {
        fum_tensor *skip = b->skips[--b->num_skips];
        const struct fum_nn_resblock resnet =
            next_resblock(b, groups_up(block, (int)fum_nn_channels(x), (int)fum_nn_channels(skip)),
                          block->channels);
        x = resblock(b, i, fum_nn_concat(&b->nn, NULL, x, skip), &resnet);
    }
    x = attention(b, 0, x, block);
    struct fum_shape size = fum_tensor_shape(x);
    if (b->drawn) b->drawn = fum_nn_smooth_double(&b->nn, b->drawn, size.dim[1], size.dim[2]);
    if (last) return x;
    draw(b, block, x);
    struct fum_shape next = fum_tensor_shape(b->skips[b->num_skips - 1]);
    struct fum_nn_resblock doubles =
        next_resblock(b, fum_unet_skip_groups(block->channels), block->channels);
    doubles.shortcut = true;
    doubles.resample = FUM_NN_SMOOTH_DOUBLE;
    doubles.height = next.dim[1];
    doubles.width = next.dim[2];
    return fum_nn_resblock(&b->nn, "resnet_up", x, &doubles);
}
