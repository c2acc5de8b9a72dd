// SPDX-License-Identifier: MIT
// Push constants of the kernels of conv2d_weight_gradient by texels and by tiles in shared memory.
#include "lib/push.h"

PUSH_CONSTANTS(fum_weight_gradient_push) {
    uint in_h, in_w, in_c; // the images
    uint out_h, out_w;     // dy
    uint taps, kernel_w;
    int stride, pad, pad_x;
    uint k_quads, n_quads; // quads of input and output channels
    uint pixels;           // of dy in this dispatch, all images together
    uint split_pixels;     // of them in one split: whole steps
    uint splits;
    uint tiles_m, tiles_n;
    uint x_skip, dy_skip;
    uint layer; // of the dispatch's first split, among the layers of sums
    uint zero;  // for touch.glsl
};
