// SPDX-License-Identifier: MIT
// Holds what matmul_texel and matmul_q8_texel share beyond lib/gemm_texel.glsl: push constants, the columns of a lane,
// and the end of a block.
layout(constant_id = 9) const uint TRANSPOSED = 0; // w is [N, K]
// Activation of gates, with one column quad per lane. The first half of the lanes has values, the second their gates.
layout(constant_id = 10) const uint GATE = 0;

#include "matmul.pc.h"

// Returns the batch of x and of w for batch b of the output.
uint x_batch(uint b) { return w_share == 0u ? 0u : b; }
uint w_batch(uint b) { return w_share == 0u ? b : b / max(w_share, 1u) % w_batches; }

uint batch;
bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint flat_row = batch * rows + min(m, rows - 1u), col = min(n, n_quads - 1u), at = flat_row * n_quads + col;
    uint row_at = row_share == 0u ? 0u : (row_begin + (row_phase + flat_row) / max(row_share, 1u)) * n_quads;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, scale, b, row_at + col, residual_skip + at);
    if (inside && m < rows && n < n_quads) y[y_skip + at] = quad_store(v);
}

// If GATE, the tile's columns are values and their gates. They are a lane's two columns if it has two, else those of
// the lower and of the upper half of the lanes.
#define PAIRS (COLS == 1u ? LANES / 2u : LANES) // quads of outputs
uint gated_quad(uint tile) { return tile * PAIRS + gl_SubgroupInvocationID % PAIRS; }

uint col[COLS]; // quads of w's columns

void find_columns(uint tile) {
    EACH_COL(c) col[c] = min(tile_col(tile, c), n_quads - 1u);
    if (GATE != 0u) {
        uint q = min(gated_quad(tile), n_quads / 2u - 1u);
        col[0] = COLS == 1u && gl_SubgroupInvocationID >= PAIRS ? n_quads / 2u + q : q;
        if (COLS > 1u) col[COLS - 1u] = n_quads / 2u + q;
    }
}

void finish_gated(uint tile_m, uint q) {
    vec4 b[2] = vec4[2](vec4(0.0), vec4(0.0));
    if ((EPILOGUE_BITS & 1u) != 0u) EACH_COL(c) b[c] = texel_load(bias, col[c]);
    bool stores = inside && (COLS > 1u || gl_SubgroupInvocationID < PAIRS) && q < n_quads / 2u;
    EACH_ROW(r) {
        uint m = tile_row(tile_m, r);
        vec4 v = acc[r][0] * scale + b[0], g;
        if (COLS > 1u) g = acc[r][COLS - 1u] * scale + b[1];
        else [[unroll]] for (uint i = 0u; i < 4u; i++) g[i] = subgroupShuffle(v[i], gl_SubgroupInvocationID ^ (LANES / 2u));
        v *= act_apply(GATE, g);
        if (stores && m < rows) y[y_skip + (batch * rows + m) * (n_quads / 2u) + q] = quad_store(v);
    }
}

void finish_block(uint tile_m, uint tile_n) {
    if (GATE != 0u) {
        finish_gated(tile_m, gated_quad(tile_n));
    } else {
        GEMM_FINISH(tile_m, tile_n)
    }
}
