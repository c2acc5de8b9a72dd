// SPDX-License-Identifier: MIT
// matmul_q8.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
// Texels of the weight are four words, fetched as the f32 that they are not: no arithmetic touches them.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#define GEMM_W_TEXELS samplerBuffer
#include "lib/gemm_texel.glsl"
#include "lib/gemm_matmul_texel.glsl"
#include "lib/q8.glsl"

void main() {
    uint tile = group_index(), tile_m = tile % tiles_m, tile_n = tile / tiles_m % tiles_n;
    inside = tile / tiles_m / tiles_n < batches;
    batch = min(tile / tiles_m / tiles_n, batches - 1u);
    find_columns(tile_n);
    uint x_at[FETCHES], at[COLS];
    EACH_FETCH(f) x_at[f] = x_skip + (x_batch(batch) * rows + min(fetch_row(tile_m, f), rows - 1u)) * k_quads;
    EACH_COL(c) at[c] = w_skip + w_batch(batch) * (k_size / 32u * Q8_ROWS * n_quads) + col[c];

    gemm_clear();
    for (uint b = 0u; b < k_size / 32u; b++) {
        vec4 factor[COLS];
        EACH_COL(c) factor[c] = texelFetch(w, int(at[c] + 8u * n_quads));
        [[dont_unroll]] for (uint i = 0u; i < 8u; i++) {
            EACH_FETCH(f) a[f] = texel_load(x, x_at[f] + 8u * b + i);
            EACH_COL(c) {
                vec4 w0, w1, w2, w3;
                q8_terms(floatBitsToUint(texelFetch(w, int(at[c] + i * n_quads))), factor[c], w0, w1, w2, w3);
                gemm_add(c, w0, w1, w2, w3);
            }
        }
        EACH_COL(c) at[c] += Q8_ROWS * n_quads;
    }
    finish_block(tile_m, tile_n);
}
