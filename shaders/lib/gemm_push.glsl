// SPDX-License-Identifier: MIT
// The push constants of matrix products by tiles in shared memory: struct fum_gemm_push of src/ops/lib/gemm_job.h.
layout(push_constant) uniform Push {
    uint channels, n_size, cq, nq; // terms of one tap, columns, and their quads
    uint rows, batches;            // rows of a batch; batches each have their own rows and may have their own w
    uint tiles_m, tiles_n;
    uint x_skip, w_skip, y_skip, residual_skip;
    uint w_div, w_mod;          // batch b of x meets batch (b / w_div) % w_mod of w; w_div 0: all meet one x
    uint row_base, row_first, row_div; // row operand of flat row i: row_base + (row_first + i) / row_div; 0: the first
    float scale;
    uint quads;       // quads of terms: taps x cq
    uint split_quads; // of them in one split: whole steps
    uint splits;
    // Convolutions; `pixels` outputs of an image are rows of the product, from row `first` of the output and with row
    // `in_first` of the image at the start of x.
    uint kernel_w, stride, pad, in_h, in_w, out_w, pixels, first, in_first;
    uint norm_skip;
};

// The batch of x and of w that batch b of the output is made from.
uint x_batch(uint b) { return w_div == 0u ? 0u : b; }
uint w_batch(uint b) { return w_div == 0u ? b : b / max(w_div, 1u) % w_mod; }
