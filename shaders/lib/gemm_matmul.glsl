// SPDX-License-Identifier: MIT
// Holds what matmul and its kernels over a q8_0 weight share beyond lib/gemm.glsl: push constants, the columns of a
// block, and its end.
layout(constant_id = 9) const uint TRANSPOSED = 0; // w is [N, K]
layout(constant_id = 10) const uint GATE = 0;      // activation of the gates; each invocation then has an even COLS

#include "matmul.pc.h"

// Returns the batch of x and of w for batch b of the output.
uint x_batch(uint b) { return w_share == 0u ? 0u : b; }
uint w_batch(uint b) { return w_share == 0u ? b : b / max(w_share, 1u) % w_batches; }

uint batch;
bool inside;

void finish(uint m, uint n, vec4 sum) {
    uint flat_row = batch * rows + min(m, rows - 1u), col = min(n, n_quads - 1u), at = flat_row * n_quads + col;
    uint row_at = row_share == 0u ? 0u : (row_begin + (row_phase + flat_row) / max(row_share, 1u)) * n_quads;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, scale, col, row_at + col, residual_skip + at);
    if (inside && m < rows && n < n_quads) y[y_skip + at] = quad_store(v);
}

// If GATE, columns 2c and 2c + 1 of a block are a quad of values, counted here, and its gates.
uint pair_col(uint tile, uint c) { return (tile * (COLS / 2u) + c / 2u) * LANES_N + lane_n(); }

// Returns the quad of w's columns that is number c of the block.
uint block_col(uint tile, uint c) {
    if (GATE == 0u) return min(tile_col(tile, c), n_quads - 1u);
    return min(pair_col(tile, c), n_quads / 2u - 1u) + c % 2u * (n_quads / 2u);
}

void finish_pair(uint m, uint n, vec4 value, vec4 gate) {
    uint half_quads = n_quads / 2u, flat_row = batch * rows + min(m, rows - 1u), col = min(n, half_quads - 1u);
    uint flags = EPILOGUE_BITS & 1u;
    vec4 v = gemm_epilogue(flags, value, scale, col, 0u, 0u);
    vec4 g = gemm_epilogue(flags, gate, scale, half_quads + col, 0u, 0u);
    if (inside && m < rows && n < half_quads) y[y_skip + flat_row * half_quads + col] = quad_store(v * act_apply(GATE, g));
}

// Does the same as GEMM_FINISH, by pairs. Never unrolled, since gates take much code.
void finish_pairs(uint tile_m, uint tile_n) {
    [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {
        [[dont_unroll]] for (uint c = 0u; c < COLS; c += 2u) {
            finish_pair(tile_row(tile_m, r), pair_col(tile_n, c), acc[0][0], acc[0][1u % COLS]);
            for (uint i = 0u; i + 2u < COLS; i++) acc[0][i] = acc[0][i + 2u];
        }
        for (uint j = 0u; j + 1u < ROWS; j++)
            for (uint i = 0u; i < COLS; i++) acc[j][i] = acc[j + 1u][i];
    }
}

void finish_block(uint tile_m, uint tile_n) {
    if (GATE != 0u) {
        finish_pairs(tile_m, tile_n);
    } else {
        GEMM_FINISH(tile_m, tile_n)
    }
}
