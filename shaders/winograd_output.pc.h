// SPDX-License-Identifier: MIT
// Push constants of winograd_output and winograd_output_texel.
#include "lib/push.h"

PUSH_CONSTANTS(fum_winograd_output_push) {
    uint n_quads;      // quads of a pixel
    uint tiles;        // of this dispatch, all images together
    uint tiles_x;      // tiles of a row of tiles
    uint tile_rows;    // rows of tiles of one image
    uint out_h, out_w; // rows of one image in this dispatch, pixels of a row
    uint y_skip, residual_skip;
    uint row_begin; // row operand of the first image
    uint row_step;  // 1: each image has its own; 0: all share one
    uint zero;      // for touch.glsl
};
