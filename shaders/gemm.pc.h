// SPDX-License-Identifier: MIT
// Push constants of matrix products by tiles in shared memory: gemm_tiled, gemm_f16 and
// gemm_coopmat.
#include "lib/push.h"

PUSH_CONSTANTS(fum_gemm_push) {
    uint channels, n_size; // terms of one tap, columns
    uint channel_quads, n_quads;
    uint rows;    // of a batch
    uint batches; // each has its own rows and may have its own w
    uint tiles_m, tiles_n;
    uint x_skip, w_skip, y_skip, residual_skip;
    // Batch b of x meets batch (b / w_share) % w_batches of w; w_share 0: all meet one x.
    uint w_share, w_batches;
    // Row operand of flat row i: row_begin + (row_phase + i) / row_share; row_share 0: the first.
    uint row_begin, row_phase, row_share;
    float scale;
    uint quads;       // quads of terms: taps times channel_quads
    uint split_quads; // of them in one split: whole steps
    uint splits;
    // A convolution has `pixels` outputs of an image as rows of the product. They start at row
    // `first` of the output. pad is above and pad_x left of the image. x starts at row `in_first`
    // of the image.
    uint kernel_w, stride, pad, pad_x, in_h, in_w, out_w, pixels, first, in_first;
    uint norm_skip;
};
