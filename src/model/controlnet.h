// SPDX-License-Identifier: MIT
// ControlNetModel: a copy of a UNet's way down that reads a picture, too. Its results are added to
// the skips and the middle of the UNet. Zhang et al., "Adding conditional control to text-to-image
// diffusion models" (2023). Weight names are diffusers'.
#ifndef FUM_MODEL_CONTROLNET_H
#define FUM_MODEL_CONTROLNET_H

#include "io/loader.h"
#include "model/model.h"
#include "model/names.h"
#include "model/unet_time.h"

enum { FUM_CONTROL_MAX_LEVELS = 8 };

// A ControlNet's files and sizes.
struct fum_control_net {
    struct fum_unet_config unet;                    // of the copy; its way up is not used
    int channels;                                   // of the picture
    int num_levels, levels[FUM_CONTROL_MAX_LEVELS]; // channels of the picture's embedding
    fum_loader *loader;
    fum_names *names;
};

// Opens a ControlNet for a model: a folder of diffusers, or a single file by the names of diffusers
// or of the original layout. A file without a configuration takes the model's. Errors: those of
// fum_loader_open, FUM_ERR_UNSUPPORTED (another kind of model, or of another family).
enum fum_result fum_control_net_open(struct fum_control_net *net, const fum_model *model,
                                     const char *path, struct fum_error *err);
void fum_control_net_close(struct fum_control_net *net);

// Adds the embedding of a picture, [1, height, width, channels] in 0..1. `prefix` stands before all
// names of weights. NULL after an error.
fum_tensor *fum_control_net_embed(fum_graph *graph, const struct fum_control_net *net,
                                  const char *prefix, fum_tensor *picture);
// Adds the ControlNet. `params` are those of the UNet, with the picture's embedding as `hint`.
// Stores what is added to each skip, then to the middle. Returns their number; 0 after an error.
int fum_control_net_build(fum_graph *graph, const struct fum_control_net *net,
                          const struct fum_unet_params *params,
                          fum_tensor *results[FUM_UNET_MAX_SKIPS + 1]);

#endif
