// SPDX-License-Identifier: MIT
// Gives the averaged weights of a training the names of the weights that they stand for.
#ifndef FUM_IO_AVERAGES_H
#define FUM_IO_AVERAGES_H

#include "io/tensors.h"

// Renames the averages of latent-diffusion's UNet (model_ema.diffusion_model…) if the file holds
// its averages alone. Their names lack the dots between words, which are put back. False when
// memory is out.
bool fum_averages_rename(struct fum_tensors *tensors);

#endif
