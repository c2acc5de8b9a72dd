// SPDX-License-Identifier: MIT
#include "model/vae_passes.h"

#include "nn/nn.h"

#include <stdio.h>

static struct fum_vae_pass *add_pass(struct fum_vae_pass *passes, int *count,
                                     const struct fum_vae_pass *pass) {
    passes[*count] = *pass;
    return &passes[(*count)++];
}

static void add_upsample(const struct fum_vae_config *v, int block, struct fum_vae_pass *passes,
                         int *count) {
    int channels = v->channels[v->num_blocks - 1 - block];
    if (block + 1 >= v->num_blocks) return;
    struct fum_vae_pass *pass = add_pass(passes, count,
                                         &(struct fum_vae_pass){.kind = FUM_VAE_UPSAMPLE,
                                                                .in = channels,
                                                                .out = channels,
                                                                .input = channels,
                                                                .level = block});
    snprintf(pass->module, sizeof pass->module, "decoder.up_blocks.%d.upsamplers.0", block);
}

// Adds the two passes of a residual block at `place`, whose channels become `out`.
static void add_resblock(const char *place, int level, int in, int out, struct fum_vae_pass *at) {
    at[0] = (struct fum_vae_pass){
        .kind = FUM_VAE_CONV1, .in = in, .out = out, .input = in, .level = level};
    at[1] = (struct fum_vae_pass){
        .kind = FUM_VAE_CONV2, .in = out, .out = out, .input = in, .level = level};
    for (int i = 0; i < 2; i++) snprintf(at[i].module, sizeof at[i].module, "%s", place);
}

int fum_vae_passes(const struct fum_vae_config *v, int block, struct fum_vae_pass *passes) {
    int count = 0, n = v->num_blocks;
    int channels = v->channels[block < 0 ? n - 1 : n - 1 - block];
    if (block >= 0) add_upsample(v, block, passes, &count);
    for (int b = block + 1; b < n; b++) {
        int out = v->channels[n - 1 - b];
        for (int j = 0; j <= v->layers; j++) {
            char place[sizeof passes->module];
            snprintf(place, sizeof place, "decoder.up_blocks.%d.resnets.%d", b, j);
            add_resblock(place, b, channels, out, passes + count);
            count += 2;
            channels = out;
        }
        add_upsample(v, b, passes, &count);
    }
    struct fum_vae_pass *last = add_pass(passes, &count,
                                         &(struct fum_vae_pass){.kind = FUM_VAE_CONV_OUT,
                                                                .in = channels,
                                                                .out = v->out_channels,
                                                                .input = channels,
                                                                .level = n - 1});
    snprintf(last->module, sizeof last->module, "decoder");
    return count;
}

int fum_vae_encode_passes(const struct fum_vae_config *v, int block, struct fum_vae_pass *passes) {
    int count = 0, last = v->num_blocks - 1, channels = v->channels[0];
    if (block == 0) return 0;
    passes[count++] = (struct fum_vae_pass){.kind = FUM_VAE_CONV_IN,
                                            .in = v->in_channels,
                                            .out = channels,
                                            .input = v->in_channels,
                                            .level = last,
                                            .module = "encoder"};
    for (int b = 0; b < block; b++) {
        for (int j = 0; j < v->layers; j++) {
            char place[sizeof passes->module];
            snprintf(place, sizeof place, "encoder.down_blocks.%d.resnets.%d", b, j);
            add_resblock(place, last - b, channels, v->channels[b], passes + count);
            channels = v->channels[b];
            count += 2;
        }
        if (b == last) continue;
        struct fum_vae_pass *pass = &passes[count++];
        *pass = (struct fum_vae_pass){.kind = FUM_VAE_DOWNSAMPLE,
                                      .in = channels,
                                      .out = channels,
                                      .input = channels,
                                      .level = last - b};
        snprintf(pass->module, sizeof pass->module, "encoder.down_blocks.%d.downsamplers.0", b);
    }
    return count;
}

bool fum_vae_pass_has_norm(const struct fum_vae_pass *pass) {
    return pass->kind == FUM_VAE_CONV1 || pass->kind == FUM_VAE_CONV2 ||
           pass->kind == FUM_VAE_CONV_OUT;
}

bool fum_vae_pass_norm(const struct fum_vae_pass *pass, char *name, size_t size) {
    static const char *const norms[] = {
        [FUM_VAE_CONV1] = "norm1", [FUM_VAE_CONV2] = "norm2", [FUM_VAE_CONV_OUT] = "conv_norm_out"};
    if (!fum_vae_pass_has_norm(pass)) return false;
    snprintf(name, size, "%s.%s", pass->module, norms[pass->kind]);
    return true;
}

fum_tensor *fum_vae_pass_build(fum_graph *graph, const struct fum_vae_pass *pass, fum_tensor *x,
                               fum_tensor *input, fum_tensor *factors) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    size_t mark = fum_nn_enter(&nn, "%s", pass->module);
    if (fum_vae_pass_has_norm(pass)) {
        x = fum_graph_add(graph, "channel_affine", NULL, FUM_INPUTS(x, factors), NULL);
        x = fum_nn_unary(&nn, "silu", NULL, x);
    }
    switch (pass->kind) {
    case FUM_VAE_CONV1: x = fum_nn_conv(&nn, "conv1", x, pass->out, NULL); break;
    case FUM_VAE_CONV2:
        x = fum_nn_conv(&nn, "conv2", x, pass->out, NULL);
        if (pass->input != pass->out)
            input = fum_nn_conv(&nn, "conv_shortcut", input, pass->out,
                                &(struct fum_nn_conv){.kernel = 1});
        x = fum_nn_add(&nn, "", x, input);
        break;
    case FUM_VAE_UPSAMPLE:
        x = fum_nn_conv(&nn, "conv", fum_nn_unary(&nn, "upsample", NULL, x), pass->out, NULL);
        break;
    case FUM_VAE_CONV_IN: x = fum_nn_conv(&nn, "conv_in", x, pass->out, NULL); break;
    case FUM_VAE_DOWNSAMPLE: x = fum_nn_conv(&nn, "conv", x, pass->out, &fum_vae_halving); break;
    case FUM_VAE_CONV_OUT: x = fum_nn_conv(&nn, "conv_out", x, pass->out, NULL); break;
    }
    fum_nn_leave(&nn, mark);
    return x;
}
