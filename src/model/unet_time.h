// SPDX-License-Identifier: MIT
// A UNet that is being built, and its time embedding.
#ifndef FUM_MODEL_UNET_TIME_H
#define FUM_MODEL_UNET_TIME_H

#include "model/unet_config.h"
#include "nn/nn.h"

enum { FUM_UNET_MAX_SKIPS = 1 + FUM_UNET_MAX_BLOCKS * (FUM_UNET_MAX_LAYERS + 1) };
_Static_assert(FUM_NN_TIME_ROWS >= 2 * FUM_UNET_MAX_BLOCKS * (FUM_UNET_MAX_LAYERS + 1) + 2,
               "a row for each residual block");

struct fum_unet_builder {
    struct fum_nn nn;
    const struct fum_unet_config *config;
    const struct fum_unet_params *params;
    bool encoder;                                  // only the way down and the middle
    struct fum_nn_time_row rows[FUM_NN_TIME_ROWS]; // in the order in which they are read
    int num_rows, next_row;
    fum_tensor *context;     // projected where the model does
    fum_tensor *context_row; // i32 [1], of this step; NULL: there is one context
    int64_t copies;          // equal ones that the value stands for at this place of the network
    fum_tensor *picture, *drawn; // of Skip blocks: the input, halved; what they add to the output
    fum_tensor *skips[FUM_UNET_MAX_SKIPS];
    int num_skips;
};

// Adds the row of a residual block, or of a norm, of that path.
void fum_unet_add_row(struct fum_unet_builder *build, int channels, const char *fmt, ...)
    FUM_PRINTF(3, 4);
// Adds the time embedding as every residual block adds it. Returns false if a node could not be
// added.
bool fum_unet_time_rows(struct fum_unet_builder *build);
// Adds the way down and the middle, and lists the skips. Returns NULL after an error.
fum_tensor *fum_unet_encode(struct fum_unet_builder *build);
// Adds a level of Skip blocks on the way down or up. Each pushes or pops its skips.
fum_tensor *fum_unet_skip_down(struct fum_unet_builder *build, const struct fum_unet_block *block,
                               bool last, fum_tensor *x);
fum_tensor *fum_unet_skip_up(struct fum_unet_builder *build, const struct fum_unet_block *block,
                             bool last, fum_tensor *x);
// Weighs by FreeU what residual block `layer` of up block `index` reads: the value from below and
// the skip. Without FreeU both stay as they are.
void fum_unet_freeu(struct fum_unet_builder *build, int index, int layer, fum_tensor **x,
                    fum_tensor **skip);
// True if FreeU changes that block.
bool fum_unet_block_takes_freeu(const struct fum_unet_config *config, int index);
// Adds x / t for a model of Fourier features.
fum_tensor *fum_unet_divide_by_times(struct fum_unet_builder *build, fum_tensor *x);

#endif
