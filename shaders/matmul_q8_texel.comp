// matmul_q8.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
// Texels of the weight are four words, fetched as the floats that they are not: no arithmetic touches them.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_texel.glsl"

layout(push_constant) uniform Push {
    GEMM_PUSH
    MATMUL_PUSH
};

bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint r = min(m, rows - 1u), col = min(n, nq - 1u), at = r * nq + col;
    uint row_at = row_div == 0u ? 0u : (row_base + (row_first + r) / max(row_div, 1u)) * nq;
    vec4 v = gemm_epilogue(sum, scale, b, row_at + col, residual_skip + at);
    if (inside && m < rows && n < nq) y[y_skip + at] = quad_store(v);
}

void main() {
    uint tile = group_index(), tile_m = tile % tiles_m, tile_n = tile / tiles_m % tiles_n;
    inside = tile / tiles_m < tiles_n;
    uint x_at[FETCHES], at[COLS];
    EACH_FETCH(f) x_at[f] = x_skip + min(fetch_row(tile_m, f), rows - 1u) * kq;
    EACH_COL(c) at[c] = w_skip + min(tile_col(tile_n, c), nq - 1u);

    gemm_clear();
    for (uint b = 0u; b < k_size / 32u; b++) {
        vec4 factor[COLS];
        EACH_COL(c) factor[c] = texelFetch(w, int(at[c] + 8u * nq));
        [[dont_unroll]] for (uint i = 0u; i < 8u; i++) {
            EACH_FETCH(f) a[f] = texel_load(x, x_at[f] + 8u * b + i);
            EACH_COL(c) {
                ivec4 q = floatBitsToInt(texelFetch(w, int(at[c] + i * nq)));
                vec4 f = factor[c];
                gemm_add(c, f * vec4(bitfieldExtract(q, 0, 8)), f * vec4(bitfieldExtract(q, 8, 8)),
                         f * vec4(bitfieldExtract(q, 16, 8)), f * vec4(bitfieldExtract(q, 24, 8)));
            }
        }
        EACH_COL(c) at[c] += 9u * nq;
    }
    GEMM_FINISH(tile_m, tile_n)
}
