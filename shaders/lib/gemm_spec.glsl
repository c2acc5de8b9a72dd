// SPDX-License-Identifier: MIT
// Specialisation and push constants that all kernels of matmul and conv2d take.
layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const uint COLS = 2;
layout(constant_id = 5) const uint LANES_N = 8;
layout(constant_id = 6) const uint ACT = 0;
layout(constant_id = 7) const uint EPILOGUE = 0; // sum of 1 bias, 2 row, 4 residual; 8: what the push constant says
layout(constant_id = 8) const uint K_TAIL = 0;   // 1: k is not a multiple of 4
// Sizes are push constants (k: length of the sum, of one tap; n: output channels), so that a driver compiles one
// kernel for all shapes of a kind: on CPU drivers that takes longer than many a dispatch.
#define GEMM_PUSH uint k_size, n_size, kq, nq, tiles_n, epilogue; // kq, nq: quads of a row of x and of the output
// Those of matmul.
#define MATMUL_PUSH \
    uint rows; /* rows of a batch in this dispatch */ \
    uint batches; \
    uint tiles_m; /* tiles of rows */ \
    uint x_skip, w_skip, y_skip, residual_skip; \
    uint w_div, w_mod; /* batch b of x meets batch (b / w_div) % w_mod of w; w_div 0: all of w meet one x */ \
    uint row_base, row_first, row_div; /* row operand of flat row i: row_base + (row_first + i) / row_div; 0: the first */ \
    float scale;
// Those of conv2d.
#define CONV_PUSH \
    uint kernel_h, kernel_w; \
    int stride, pad; \
    uint upsample; /* 1: the image is read as its double */ \
    uint in_h, in_w, out_w; \
    uint pixels; /* outputs of one image in this dispatch */ \
    uint batches; \
    uint tiles_m; /* tiles of pixels, all images together */ \
    uint first_y; /* first output row of the dispatch */ \
    uint first_in_y; /* first input row of the window */ \
    uint x_skip, y_skip, residual_skip; \
    uint row_base; /* row operand of the first image */ \
    uint row_step; /* 1: each image has its own; 0: all share one */ \
    uint norm_skip; /* quads of norm before the first image's */
