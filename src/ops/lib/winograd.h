// SPDX-License-Identifier: MIT
// Decides when a convolution runs as a Winograd transform.
#ifndef FUM_OPS_WINOGRAD_H
#define FUM_OPS_WINOGRAD_H

#include "ops/lib/conv2d.h"

// Chooses the lowering of conv2d to conv2d_winograd, see struct fum_lowering.
bool fum_winograd_choose(const struct fum_lowering_site *site, struct fum_desc *weight);

#endif
