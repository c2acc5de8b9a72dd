// SPDX-License-Identifier: MIT
// Divides an axis of a picture into tiles that are enlarged one by one. Tiles do not overlap in the
// result; each reads surroundings in addition, so that its pixels depend on what they do in the
// whole. All tiles of a picture have one size.
#ifndef FUM_PIPELINE_UPSCALE_TILES_H
#define FUM_PIPELINE_UPSCALE_TILES_H

struct fum_upscale_axis {
    int length; // of the picture, a multiple of `step`
    int core;   // length of what each tile contributes, but for the last one
    int around; // pixels read at each side of that
    int size;   // of what a tile reads
    int count;
};

// Divides `length` into parts of about `tile` pixels. All numbers but `count` are multiples of
// `step`.
struct fum_upscale_axis fum_upscale_axis(int length, int tile, int around, int step);
// Returns the first pixel that tile `index` reads.
int fum_upscale_axis_start(const struct fum_upscale_axis *axis, int index);
// Returns the first pixel that it contributes; that of `count` is the end of the picture.
int fum_upscale_axis_core(const struct fum_upscale_axis *axis, int index);

#endif
