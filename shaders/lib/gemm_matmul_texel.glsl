// SPDX-License-Identifier: MIT
// What matmul_texel and matmul_q8_texel share beyond lib/gemm_texel.glsl: push constants, which columns a lane has, and how
// a block ends.
layout(constant_id = 9) const uint TRANSPOSED = 0; // w is [N, K]
// Activation of gates, with one column quad per lane: the first half of the lanes has values, the other their gates.
layout(constant_id = 10) const uint GATE = 0;

layout(push_constant) uniform Push {
    GEMM_PUSH
    MATMUL_PUSH
};

// The batch of x and of w that batch b of the output is made from.
uint x_batch(uint b) { return w_div == 0u ? 0u : b; }
uint w_batch(uint b) { return w_div == 0u ? b : b / max(w_div, 1u) % w_mod; }

uint batch;
bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint flat_row = batch * rows + min(m, rows - 1u), col = min(n, nq - 1u), at = flat_row * nq + col;
    uint row_at = row_div == 0u ? 0u : (row_base + (row_first + flat_row) / max(row_div, 1u)) * nq;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, scale, b, row_at + col, residual_skip + at);
    if (inside && m < rows && n < nq) y[y_skip + at] = quad_store(v);
}

// With GATE the tile's columns are values and their gates: a lane's two where it has two, else those of the lower and of
// the upper half of the lanes.
#define PAIRS (COLS == 1u ? LANES / 2u : LANES) // quads of outputs
uint gated_quad(uint tile) { return tile * PAIRS + gl_SubgroupInvocationID % PAIRS; }

uint col[COLS]; // quads of w's columns

void find_columns(uint tile) {
    EACH_COL(c) col[c] = min(tile_col(tile, c), nq - 1u);
    if (GATE != 0u) {
        uint q = min(gated_quad(tile), nq / 2u - 1u);
        col[0] = COLS == 1u && gl_SubgroupInvocationID >= PAIRS ? nq / 2u + q : q;
        if (COLS > 1u) col[COLS - 1u] = nq / 2u + q;
    }
}

void finish_gated(uint tile_m, uint q) {
    vec4 b[2] = vec4[2](vec4(0.0), vec4(0.0));
    if ((EPILOGUE_BITS & 1u) != 0u) EACH_COL(c) b[c] = texel_load(bias, col[c]);
    bool stores = inside && (COLS > 1u || gl_SubgroupInvocationID < PAIRS) && q < nq / 2u;
    EACH_ROW(r) {
        uint m = tile_row(tile_m, r);
        vec4 v = acc[r][0] * scale + b[0], g;
        if (COLS > 1u) g = acc[r][COLS - 1u] * scale + b[1];
        else [[unroll]] for (uint i = 0u; i < 4u; i++) g[i] = subgroupShuffle(v[i], gl_SubgroupInvocationID ^ (LANES / 2u));
        v *= act_apply(GATE, g);
        if (stores && m < rows) y[y_skip + (batch * rows + m) * (nq / 2u) + q] = quad_store(v);
    }
}

void finish_block(uint tile_m, uint tile_n) {
    if (GATE != 0u) {
        finish_gated(tile_m, gated_quad(tile_n));
    } else {
        GEMM_FINISH(tile_m, tile_n)
    }
}
