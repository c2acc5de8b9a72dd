// SPDX-License-Identifier: MIT
// The codebook of vqvae: lookup, its use, and the updates that no optimiser makes.
#ifndef FUM_TRAIN_CODEBOOK_H
#define FUM_TRAIN_CODEBOOK_H

#include "model/vq.h"
#include "train/training.h"

struct fum_codebook {
    struct fum_vq_config network;
    bool averaged; // loss.codebook: moving averages, not a gradient
    double commitment, decay;
    int64_t restart; // updates after which an unused code is replaced; 0: never

    // Values in f32 of the micro-batches so far.
    fum_tensor *outputs; // the encoder's, [batch, height, width, channels], of the newest one
    fum_tensor *counts;  // uses of each code, [codes, 1]
    fum_tensor *sums;    // of the encoder's outputs of each code, [codes, channels]
    fum_tensor *newest;  // counts of the newest one
};

// Returns the vectors that are nearest to the encoder's outputs `z`, and counts them.
fum_tensor *fum_codebook_look_up(struct fum_micro_batch *m, struct fum_codebook *c, fum_tensor *z);
// Returns the exponential of the entropy of the codes in all ranks' micro-batch, in nats.
fum_tensor *fum_codebook_perplexity(struct fum_micro_batch *m, const struct fum_codebook *c);

// Returns true for the codebook if no optimiser trains it, a hook of struct fum_recipe.
bool fum_codebook_excludes(const struct fum_training *t, const char *name);
// Adds the updates of the codebook beside the optimiser's, a hook.
fum_tensor *fum_codebook_update(struct fum_training *t, fum_tensor *param, fum_tensor *updated,
                                fum_tensor *factor);
// Chooses how the codebook and its averages begin, a hook.
void fum_codebook_initialise(const struct fum_training *t, const char *name,
                             struct fum_initial *initial);

#endif
