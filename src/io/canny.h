// SPDX-License-Identifier: MIT
// Finds the edges of a picture.
#ifndef FUM_IO_CANNY_H
#define FUM_IO_CANNY_H

#include "io/image.h"

// Stores the edges of a picture of 1 or 3 channels: one channel, 255 where an edge is, else 0. The
// result has the bits of OpenCV's Canny with L2gradient and a Sobel filter of 3 × 3. Colours become
// grey as its cvtColor computes it. low, high: thresholds of the gradient. See Canny, "A
// computational approach to edge detection" (1986).
enum fum_result fum_bitmap_canny(const struct fum_bitmap *from, double low, double high,
                                 struct fum_bitmap *to, struct fum_error *err);

// Stores the grey of a picture of 1 or 3 channels, as cvtColor computes it.
void fum_bitmap_grey(const struct fum_bitmap *from, uint8_t *grey);
// Squares a threshold of the gradient's length as OpenCV does.
int64_t fum_canny_threshold(double threshold);

#endif
