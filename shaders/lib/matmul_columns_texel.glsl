// SPDX-License-Identifier: MIT
// The columns of a block of lib/gemm_texel.glsl, and its end.
#include "lib/gemm_matmul.glsl"
#include "lib/touch.glsl"

layout(set = 0, binding = 6) uniform TEXELS old_y;

// Touches the lines of a block that is not gated.
void touch_block(uint tile_m, uint tile_n) {
    uint first = y_skip + (batch * rows + tile_row(tile_m, 0u)) * n_quads, count = y_skip + batches * rows * n_quads;
    EACH_COL(c) {
        TOUCH_LINES(texel_load, old_y, ROWS, first + (tile_n * COLS + c) * LANES, n_quads, count, nothing)
        touched |= nothing;
    }
}

// If GATE, the tile's columns are values and their gates. They are a lane's two columns if it has two, else those of
// the lower and of the upper half of the lanes.
#define PAIRS (COLS == 1u ? LANES / 2u : LANES) // quads of outputs
uint gated_quad(uint tile) { return tile * PAIRS + gl_SubgroupInvocationID % PAIRS; }

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
    if ((EPILOGUE_BITS & 1u) != 0u) EACH_COL(c) b[c] = bias_load(col[c]);
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
