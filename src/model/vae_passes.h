// SPDX-License-Identifier: MIT
// Cuts the decoder and the encoder at their norms, for pictures that are decoded or encoded in
// bands of rows. The decoder's head at low resolution runs whole, and passes follow. The encoder's
// passes come before its tail, which runs whole. A pass reads rows of the value before it, and of
// the residual block's input where that is added. It gives as many rows of the next value (or twice
// or half as many) with their statistics. The next pass's norm follows from the statistics of all
// rows. Nothing is approximated: bands only order the same sums differently.
#ifndef FUM_MODEL_VAE_PASSES_H
#define FUM_MODEL_VAE_PASSES_H

#include "model/vae.h"
#include "nn/nn.h"

enum fum_vae_pass_kind {
    FUM_VAE_CONV1,      // of a residual block: norm1, SiLU, conv1
    FUM_VAE_CONV2,      // norm2, SiLU, conv2, and the block's input added
    FUM_VAE_UPSAMPLE,   // doubling and convolution
    FUM_VAE_CONV_OUT,   // to pixels: norm, SiLU, conv_out
    FUM_VAE_CONV_IN,    // from pixels, without a norm
    FUM_VAE_DOWNSAMPLE, // a convolution of stride 2, padded at the end alone
};

struct fum_vae_pass {
    enum fum_vae_pass_kind kind;
    // channels: of the value before, of the result, of the residual block's input (CONV2)
    int in, out, input;
    // the value before is height << level rows of width << level, of the latents' height and width
    int level;
    char module[64]; // "decoder.up_blocks.2.resnets.0"
};

enum { FUM_VAE_MAX_PASSES = FUM_VAE_MAX_BLOCKS * (2 * 17 + 1) + 1 };

// How many rows of each border of a pass's result are wrong where its input was cut inside the
// picture.
enum { FUM_VAE_PASS_EDGE = 1 };

// Adds the head, which ends after the residual blocks of up block `block`; -1: after the middle
// block. Latents as fum_vae_decode's.
fum_tensor *fum_vae_decode_head(fum_graph *graph, const struct fum_vae_config *config,
                                const char *prefix, fum_tensor *z, int block);
// Lists the passes after that head and returns how many.
int fum_vae_passes(const struct fum_vae_config *config, int block, struct fum_vae_pass *passes);

// Adds the encoder's tail to `x`, what its down block `block` reads: pixels for 0. The number of
// blocks: after the residual blocks of the last one. Moments as fum_vae_encode's.
void fum_vae_encode_tail(fum_graph *graph, const struct fum_vae_config *config, fum_tensor *x,
                         int block, struct fum_vae_moments *moments);
// Returns the level and the channels of what such a tail reads.
int fum_vae_tail_level(const struct fum_vae_config *config, int block);
int fum_vae_tail_channels(const struct fum_vae_config *config, int block);
// Lists the passes before that tail and returns how many.
int fum_vae_encode_passes(const struct fum_vae_config *config, int block,
                          struct fum_vae_pass *passes);

// Adds one pass over `x` [1, rows, width, in] and, for CONV2, `input` [1, rows, width, input].
// `factors` f32 [2, in] are the norm's scale and shift of every channel (fum_vae_pass_norm); not
// for a pass without a norm.
fum_tensor *fum_vae_pass_build(fum_graph *graph, const struct fum_vae_pass *pass, fum_tensor *x,
                               fum_tensor *input, fum_tensor *factors);

// Writes the module of the norm that a pass begins with ("….norm1"). False: it has none.
bool fum_vae_pass_has_norm(const struct fum_vae_pass *pass);
bool fum_vae_pass_norm(const struct fum_vae_pass *pass, char *name, size_t size);
extern const double fum_vae_norm_eps;
// The convolution that halves a picture in the encoder.
extern const struct fum_nn_conv fum_vae_halving;

#endif
