// SPDX-License-Identifier: MIT
// Push constants of winograd_output_gradient.
#include "lib/push.h"

PUSH_CONSTANTS(fum_winograd_output_gradient_push) {
    uint n_quads;      // quads of a pixel
    uint tiles;        // of all images together
    uint tiles_x;      // tiles of a row of tiles
    uint tile_rows;    // rows of tiles of one image
    uint out_h, out_w; // rows of one image, pixels of a row
    uint zero;         // for touch.glsl
};
