// matmul.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_texel.glsl"

layout(constant_id = 9) const uint TRANSPOSED = 0; // w is [N, K]
// Activation of gates, with one column quad per lane: the first half of the lanes has values, the other their gates.
layout(constant_id = 10) const uint GATE = 0;

layout(push_constant) uniform Push {
    GEMM_PUSH
    MATMUL_PUSH
};

void load_w(uint at, uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    if (TRANSPOSED != 0u) {
        // Rows of w are outputs: load a 4 x 4 block and turn it.
        uint n = col * 4u;
        mat4 b = transpose(mat4(texel_load(w, at + n * kq + k), texel_load(w, at + min(n + 1u, n_size - 1u) * kq + k),
                                texel_load(w, at + min(n + 2u, n_size - 1u) * kq + k),
                                texel_load(w, at + min(n + 3u, n_size - 1u) * kq + k)));
        w0 = b[0];
        w1 = b[1];
        w2 = b[2];
        w3 = b[3];
    } else {
        uint i = at + 4u * k * nq + col;
        w0 = texel_load(w, i);
        w1 = texel_load(w, i + nq);
        w2 = texel_load(w, i + 2u * nq);
        w3 = texel_load(w, i + 3u * nq);
    }
}

uint batch;
bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint flat_row = batch * rows + min(m, rows - 1u), col = min(n, nq - 1u), at = flat_row * nq + col;
    uint row_at = row_div == 0u ? 0u : (row_base + (row_first + flat_row) / max(row_div, 1u)) * nq;
    vec4 v = gemm_epilogue(sum, scale, b, row_at + col, residual_skip + at);
    if (inside && m < rows && n < nq) y[y_skip + at] = quad_store(v);
}

// With GATE the tile's columns are values and their gates: a lane's two where it has two, else those of the lower and of
// the upper half of the lanes.
#define PAIRS (COLS == 1u ? LANES / 2u : LANES) // quads of outputs
uint gated_quad(uint tile) { return tile * PAIRS + gl_SubgroupInvocationID % PAIRS; }

uint col[COLS];

void finish_gated(uint tile_m, uint q) {
    vec4 b[2] = vec4[2](vec4(0.0), vec4(0.0));
    if ((EPILOGUE & 1u) != 0u) EACH_COL(c) b[c] = texel_load(bias, col[c]);
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

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, rest = tile / tiles_m;
    uint tile_n = rest % tiles_n;
    inside = rest / tiles_n < batches;
    batch = min(rest / tiles_n, batches - 1u);

    uint x_at[FETCHES];
    EACH_FETCH(f) x_at[f] = x_skip + (batch * rows + min(fetch_row(tile_m, f), rows - 1u)) * kq;
    EACH_COL(c) col[c] = min(tile_col(tile_n, c), nq - 1u);
    if (GATE != 0u) {
        uint q = min(gated_quad(tile_n), nq / 2u - 1u);
        col[0] = COLS == 1u && gl_SubgroupInvocationID >= PAIRS ? nq / 2u + q : q;
        if (COLS > 1u) col[COLS - 1u] = nq / 2u + q;
    }
    uint w_at = w_skip + batch / w_div % w_mod * (TRANSPOSED != 0u ? n_size * kq : k_size * nq);

    gemm_clear();
    for (uint k = 0u; k < k_size / 4u; k++) {
        EACH_FETCH(f) a[f] = texel_load(x, x_at[f] + k);
        EACH_COL(c) {
            vec4 w0, w1, w2, w3;
            load_w(w_at, k, col[c], w0, w1, w2, w3);
            gemm_add(c, w0, w1, w2, w3);
        }
    }
    if (K_TAIL != 0u) {
        // Padding is undefined on both sides: both become zero. Rows of w past the last are read as the last.
        uint k = k_size / 4u, left = k_size % 4u, last = k_size - 1u;
        EACH_FETCH(f) a[f] = quad_mask(texel_load(x, x_at[f] + k), k, k_size, 0.0);
        EACH_COL(c) {
            vec4 w0, w1, w2, w3;
            if (TRANSPOSED != 0u) {
                load_w(w_at, k, col[c], w0, w1, w2, w3);
            } else {
                uint i = w_at + col[c];
                w0 = texel_load(w, i + 4u * k * nq);
                w1 = texel_load(w, i + min(4u * k + 1u, last) * nq);
                w2 = texel_load(w, i + min(4u * k + 2u, last) * nq);
                w3 = vec4(0.0);
            }
            gemm_add(c, w0, left > 1u ? w1 : vec4(0.0), left > 2u ? w2 : vec4(0.0), vec4(0.0));
        }
    }

    if (GATE != 0u) {
        finish_gated(tile_m, gated_quad(tile_n));
    } else {
        GEMM_FINISH(tile_m, tile_n)
    }
}
