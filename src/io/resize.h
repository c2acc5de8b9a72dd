// SPDX-License-Identifier: MIT
// Scales and cuts pictures.
#ifndef FUM_IO_RESIZE_H
#define FUM_IO_RESIZE_H

#include "io/image.h"

// Scales a picture with Lanczos's filter (a = 3), to the bit as Pillow's Image.resize does it.
// Transparency is scaled like a colour.
enum fum_result fum_bitmap_scale(const struct fum_bitmap *from, int width, int height,
                                 struct fum_bitmap *to, struct fum_error *err);
// Scales a picture by repeating or leaving out pixels.
enum fum_result fum_bitmap_scale_nearest(const struct fum_bitmap *from, int width, int height,
                                         struct fum_bitmap *to, struct fum_error *err);

// A part of a picture. It may reach past the edges.
struct fum_bitmap_box {
    int left, top, width, height;
};
// Copies a part of a picture. Past the edges the pixels of the edge are repeated.
enum fum_result fum_bitmap_cut(const struct fum_bitmap *from, struct fum_bitmap_box box,
                               struct fum_bitmap *to, struct fum_error *err);

// Puts a picture with transparency (2 or 4 channels) over white; others stay as they are.
void fum_bitmap_flatten(struct fum_bitmap *bitmap);

// How a picture fills a size of another shape.
enum fum_bitmap_fit {
    FUM_BITMAP_STRETCH, // both sides are scaled
    FUM_BITMAP_COVER,   // what reaches past the size is cut off, around the middle
    FUM_BITMAP_INSIDE,  // the pixels of the edges are repeated around it
};
// Scales a picture to a size.
enum fum_result fum_bitmap_fit(const struct fum_bitmap *from, enum fum_bitmap_fit how,
                               struct fum_bitmap_box size, struct fum_bitmap *to,
                               struct fum_error *err);

// Blurs a picture of one channel by a Gaussian of that deviation in pixels. As in A1111's masks,
// OpenCV's kernel reaches 2.5 deviations to either side, and edges are mirrored.
enum fum_result fum_bitmap_blur(struct fum_bitmap *bitmap, double deviation, struct fum_error *err);

#endif
