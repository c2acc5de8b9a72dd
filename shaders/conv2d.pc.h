// SPDX-License-Identifier: MIT
// Push constants of conv2d and its kernels by texels and by a weight of q8_0.
#include "lib/push.h"

PUSH_CONSTANTS(fum_conv2d_push) {
    uint k_size, n_size;   // input and output channels
    uint k_quads, n_quads; // quads of them
    uint tiles_n;
    uint epilogue; // sum of 1 bias, 2 row, 4 residual
    uint kernel_h, kernel_w;
    int stride, pad, pad_x; // padding above and left
    uint upsample;          // 1: the image is read as its double
    uint in_h, in_w, out_w;
    uint pixels; // outputs of one image in this dispatch
    uint batches;
    uint tiles_m;    // tiles of pixels, all images together
    uint first_y;    // first output row of the dispatch
    uint first_in_y; // first input row of the window
    uint x_skip, y_skip, residual_skip;
    uint row_begin;   // row operand of the first image
    uint row_step;    // 1: each image has its own; 0: all share one
    uint norm_skip;   // quads of norm before the first image's
    uint panel_quads; // columns of a tap of w lie in panels of so many quads, one after the other
};
