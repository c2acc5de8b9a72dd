// SPDX-License-Identifier: MIT
// Brings pictures to the size that a network takes.
#ifndef FUM_DATA_FIT_H
#define FUM_DATA_FIT_H

#include "io/image.h"

// Scaled size of a picture that covers width × height, and the part of it that is used.
struct fum_fit {
    int64_t scaled_width, scaled_height, left, top;
};
// Returns the smallest scaling that covers the size, and the crop around its middle, as
// torchvision's Resize and CenterCrop compute them.
struct fum_fit fum_fit_cover(const struct fum_bitmap *bitmap, int width, int height);

// The pixels to write: [channels, height, width] in 0..1.
struct fum_fit_target {
    int width, height, channels;
    bool flip;
    float *pixels;
};
// Scales, crops and mirrors a picture. Scaling interpolates linearly, with a wider filter when the
// picture gets smaller, as Pillow's BILINEAR does.
enum fum_result fum_fit_picture(const struct fum_bitmap *bitmap, const struct fum_fit_target *to,
                                struct fum_error *err);

#endif
