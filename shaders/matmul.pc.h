// SPDX-License-Identifier: MIT
// Push constants of matmul and its kernels by texels, by a weight of f16 and by one of q8_0.
#include "lib/push.h"

PUSH_CONSTANTS(fum_matmul_push) {
    uint k_size, n_size;   // length of the sum; columns of w
    uint k_quads, n_quads; // quads of a row of x and of w's columns
    uint tiles_n;
    uint epilogue; // sum of 1 bias, 2 row, 4 residual
    uint rows;     // of a batch in this dispatch
    uint batches;
    uint tiles_m; // tiles of rows
    uint x_skip, w_skip, y_skip, residual_skip;
    // Batch b of x meets batch (b / w_share) % w_batches of w; w_share 0: all of w meet one x.
    uint w_share, w_batches;
    // Row operand of flat row i: row_begin + (row_phase + i) / row_share; row_share 0: the first.
    uint row_begin, row_phase, row_share;
    float scale;
    uint zero;        // for touch.glsl
    uint strip;       // tiles of rows that a block of w meets before the next block does
    uint panel_quads; // columns of w lie in panels of so many quads, one after the other
};
