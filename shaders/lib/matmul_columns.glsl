// SPDX-License-Identifier: MIT
// The columns of a block of lib/gemm.glsl, and its end. If GATE, an invocation has an even COLS: columns 2c and
// 2c + 1 of a block are a quad of values, counted here, and its gates.
#include "lib/gemm_matmul.glsl"

uint pair_col(uint tile, uint c) { return (tile * (COLS / 2u) + c / 2u) * LANES_N + lane_n(); }

void touch_block(uint tile_m, uint tile_n) {} // only CPU drivers gain from it

void find_columns(uint tile) {
    EACH_COL(c) {
        if (GATE == 0u) col[c] = min(tile_col(tile, c), n_quads - 1u);
        else col[c] = min(pair_col(tile, c), n_quads / 2u - 1u) + c % 2u * (n_quads / 2u);
    }
}

void finish_pair(uint m, uint n, vec4 value, vec4 gate) {
    uint half_quads = n_quads / 2u, flat_row = batch * rows + min(m, rows - 1u), col = min(n, half_quads - 1u);
    vec4 v = gemm_epilogue(0u, value, scale, gemm_bias(col), 0u, 0u);
    vec4 g = gemm_epilogue(0u, gate, scale, gemm_bias(half_quads + col), 0u, 0u);
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
