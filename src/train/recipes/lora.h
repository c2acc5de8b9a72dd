// SPDX-License-Identifier: MIT
// Low-rank adapters of linear layers, y = W x + alpha / rank · up · down · x, with the names that
// kohya's scripts give them: "lora_unet_mid_block_attentions_0_…_to_q.lora_down.weight".
#ifndef FUM_TRAIN_RECIPES_LORA_H
#define FUM_TRAIN_RECIPES_LORA_H

#include "train/training.h"

struct fum_lora {
    int rank; // 0: none
    double alpha;
    bool all_linear, text_encoder;
};

// Reads [lora]. `least` is the smallest rank, 0 where a recipe can do without.
void fum_lora_read(struct fum_settings *settings, struct fum_lora *lora, int least);
// Adds the adapter of a layer. Returns layer->y if it has none, NULL after an error.
fum_tensor *fum_lora_adapt(struct fum_training *training, const struct fum_lora *lora,
                           const struct fum_graph_layer *layer);
// True if the name is an adapter's parameter.
bool fum_lora_owns(const char *name);
// True if the name is that of an adapter's alpha.
bool fum_lora_is_alpha(const char *name);
// Returns a parameter's name in saved files, which may lie in `text`. kohya's scripts train SDXL in
// its original layout, and diffusers reads the layers of its added conditions by these names alone.
const char *fum_lora_file_name(const char *name, char text[FUM_TRAIN_NAME]);
// Makes up matrices begin with 0.
void fum_lora_initialise(const struct fum_training *training, const char *name,
                         struct fum_initial *initial);
// Writes the adapters as one file into the folder `dir`.
enum fum_result fum_lora_save(struct fum_training *training, const struct fum_lora *lora,
                              const char *dir, struct fum_error *err);

#endif
