// SPDX-License-Identifier: MIT
// Declares the channels that some UNets read beside the latents: what a picture is encoded to.
#ifndef FUM_PIPELINE_BESIDE_LATENTS_H
#define FUM_PIPELINE_BESIDE_LATENTS_H

#include "pipeline/pipeline.h"

// Returns how many channels the UNet reads beside the latents.
int fum_beside_channels(const fum_pipeline *pipe);
// Adds the input, doubled if the model doubles pictures, and puts it behind the latents of every
// copy: a hook of struct fum_task.
void fum_beside_add(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d);
// Writes the values of pictures, [batch, height, width, channels] as the input has them, to the
// copies from `first` on. Those before it are 0.
enum fum_result fum_beside_write(fum_pipeline *pipe, const float *values, int first,
                                 struct fum_error *err);

#endif
