// SPDX-License-Identifier: MIT
// The levels of k-diffusion's UNet, which the latent upscaler of Stable Diffusion has.
#ifndef FUM_MODEL_UNET_K_H
#define FUM_MODEL_UNET_K_H

#include "model/unet_time.h"

// A level on the way down or up, each counted in its own order.
struct fum_unet_k_place {
    bool up;
    int level;
};

// A residual block and the attention that follows it.
struct fum_unet_k_layer {
    int in, inner, out; // channels of its input, between its convolutions, of its result
    int level;          // channels of the level
    int head;           // channels of a head
    bool self;          // attention over the picture comes before that over the prompt
};

// Reads the keys that other levels do not have, and checks the levels.
void fum_unet_k_config(struct fum_config *c, struct fum_unet_config *config);

// Returns what a layer of a level has.
struct fum_unet_k_layer fum_unet_k_layer(const struct fum_unet_config *config,
                                         struct fum_unet_k_place place, int layer);
// Lists the rows of a level: one for each of its norms.
void fum_unet_k_rows(struct fum_unet_builder *build, struct fum_unet_k_place place);
// Adds the embedding of the times and of the conditions, [steps, rows, channels].
fum_tensor *fum_unet_k_time(struct fum_unet_builder *build);
// Adds a level on the way down or up. Each pushes or pops its skip.
fum_tensor *fum_unet_k_down(struct fum_unet_builder *build, int level, fum_tensor *x);
fum_tensor *fum_unet_k_up(struct fum_unet_builder *build, int level, fum_tensor *x);

#endif
