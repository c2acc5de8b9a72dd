// SPDX-License-Identifier: MIT
// Pictures as the networks of features read them.
#ifndef FUM_EVALUATE_PICTURES_H
#define FUM_EVALUATE_PICTURES_H

#include "io/image.h"

// Writes a picture as [size, size, channels] in 0..1, scaled by bilinear interpolation without
// antialiasing, as PyTorch's interpolate does (align_corners false). Grey becomes RGB, and alpha is
// dropped.
void fum_picture_scale(const struct fum_bitmap *bitmap, int size, int channels, float *out);

#endif
