// matmul.comp for a weight packed as FUM_PACK_Q8, multiplied out to f32 as it is read.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_q8.glsl"

void main() {
    GEMM_Q8_BEGIN(kq)
    for (uint b = 0u; b < k_size / 32u; b++) {
        vec4 factor[COLS];
        for (uint c = 0u; c < COLS; c++) factor[c] = uintBitsToFloat(w[col[c] + (BLOCK_ROWS * b + 8u) * nq]);
        [[dont_unroll]] for (uint i = 0u; i < 8u; i++) {
            for (uint r = 0u; r < ROWS; r++) a[r] = quad_load(x[x_at[r] + 8u * b + i]);
            for (uint c = 0u; c < COLS; c++) {
                ivec4 q = ivec4(w[col[c] + (BLOCK_ROWS * b + i) * nq]);
                vec4 f = factor[c];
                gemm_add(c, f * vec4(bitfieldExtract(q, 0, 8)), f * vec4(bitfieldExtract(q, 8, 8)),
                         f * vec4(bitfieldExtract(q, 16, 8)), f * vec4(bitfieldExtract(q, 24, 8)));
            }
        }
    }
    finish_block(tile_m, tile_n);
}
