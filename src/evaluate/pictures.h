// SPDX-License-Identifier: MIT
// Pictures as the networks of features read them.
#ifndef FUM_EVALUATE_PICTURES_H
#define FUM_EVALUATE_PICTURES_H

#include "io/image.h"

// Writes a picture as [height, width, channels] in 0..1, with its own channels, scaled by bilinear
// interpolation without antialiasing, as PyTorch's interpolate does (align_corners false).
void fum_picture_scale(const struct fum_bitmap *bitmap, int width, int height, float *out);

#endif
