// SPDX-License-Identifier: MIT
// matmul.comp for a weight packed as FUM_PACK_Q8, multiplied out to f32 as it is read.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_q8.glsl"

void main() {
    GEMM_Q8_BEGIN(k_quads)
    for (uint b = 0u; b < k_size / 32u; b++) {
        vec4 factor[COLS];
        for (uint c = 0u; c < COLS; c++) factor[c] = uintBitsToFloat(w[col[c] + (Q8_ROWS * b + 8u) * n_quads]);
        [[dont_unroll]] for (uint i = 0u; i < 8u; i++) {
            for (uint r = 0u; r < ROWS; r++) a[r] = quad_load(x[x_at[r] + 8u * b + i]);
            for (uint c = 0u; c < COLS; c++) {
                vec4 w0, w1, w2, w3;
                q8_terms(w[col[c] + (Q8_ROWS * b + i) * n_quads], factor[c], w0, w1, w2, w3);
                gemm_add(c, w0, w1, w2, w3);
            }
        }
    }
    finish_block(tile_m, tile_n);
}
