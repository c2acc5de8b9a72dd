// SPDX-License-Identifier: MIT
// Push constants of winograd_input.
#include "lib/push.h"

PUSH_CONSTANTS(fum_winograd_input_push) {
    uint k_quads;   // quads of a pixel
    uint tiles;     // of this dispatch, all images together
    uint tiles_x;   // tiles of a row of tiles
    uint tile_rows; // rows of tiles of one image
    uint first_y;   // first output row of the dispatch
    uint in_h, in_w, upsample;
    uint first_in_y; // first input row of the window
    uint x_skip, norm_skip;
    uint zero; // for touch.glsl
};
