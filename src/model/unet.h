// SPDX-License-Identifier: MIT
// UNet2DConditionModel of Stable Diffusion 1.x, 2.x, XL (base, refiner, turbo) and their small
// variants, and UNet2DModel, which takes no text. Weight names are diffusers':
// "down_blocks.0.resnets.0.conv1.weight".
#ifndef FUM_MODEL_UNET_H
#define FUM_MODEL_UNET_H

#include "model/unet_config.h"

// Sets the members of `params` that the configuration needs, except x and counter, to new inputs of
// the graph. "timesteps" belongs to stage RUN; "context", "text_embeds", "time_ids", "class_labels"
// and "timestep_cond" belong to stage PROMPT. In training everything changes with the step.
struct fum_unet_sizes {
    int64_t batch, tokens;
    int64_t steps; // 0: training, a timestep for each picture, and all inputs of stage STEP
    int pooled;    // channels of text_embeds; with config.text_time
    // Contexts that the steps choose from; 0 or 1: there is one. Else text_embeds and time_ids are
    // those of each step.
    int64_t contexts;
};
void fum_unet_inputs(fum_graph *graph, const struct fum_unet_config *config,
                     const struct fum_unet_sizes *sizes, struct fum_unet_params *params);
// Returns how many time ids a picture has: 6 for SDXL base, 5 for its refiner; 0 without text_time.
// `pooled`: channels of text_embeds.
int fum_unet_time_ids(const struct fum_unet_config *config, int pooled);

// Adds the model; returns its prediction [batch, height, width, out_channels]. NULL: see
// fum_graph_check; when that finds nothing, params lacks an input that the configuration needs.
// Nodes are named by module: "down_blocks.0.resnets.0", "conv_out".
fum_tensor *fum_unet_build(fum_graph *graph, const struct fum_unet_config *config,
                           const struct fum_unet_params *params);

// True if FreeU changes the network: a UNet with a prompt whose first levels on the way up are as
// Stable Diffusion's.
bool fum_unet_takes_freeu(const struct fum_unet_config *config);

// What a classifier of noisy pictures gives.
struct fum_classifier_outputs {
    fum_tensor *features; // [batch, channels of the last level], the mean over the pixels
    fum_tensor *logits;   // [batch, classes]
};
// Adds the classifier: the encoding half of a UNet2DModel, a norm, SiLU, the mean over the pixels
// and the layer "classifier". Returns false after an error, as fum_unet_build.
bool fum_unet_classifier(fum_graph *graph, const struct fum_unet_config *config,
                         const struct fum_unet_params *params, int classes,
                         struct fum_classifier_outputs *outputs);

#endif
