// SPDX-License-Identifier: MIT
// Multiplies as matmul_q8.comp, with x as quantise_rows.comp wrote it. Products of integers, four in one instruction,
// are summed exactly within a block of 32 terms, and in f32 over the blocks.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_spirv_intrinsics : require
#define GEMM_X_QUAD uvec4
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_q8.glsl"

// OpSDot of SPV_KHR_integer_dot_product, which old compilers' GLSL lacks; format 0: four 8-bit integers packed.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot_packed(int a, int b, spirv_literal uint format);

layout(set = 0, binding = 6) readonly buffer F { float x_factor[]; }; // of block b of a row: at half its first quad, + b

ivec4 dot4(uint a, uvec4 q) {
    int t = int(a);
    return ivec4(dot_packed(t, int(q.x), 0u), dot_packed(t, int(q.y), 0u), dot_packed(t, int(q.z), 0u),
                 dot_packed(t, int(q.w), 0u));
}

void main() {
    GEMM_Q8_BEGIN(k_quads / 4u)
    for (uint b = 0u; b < k_size / 32u; b++) {
        ivec4 sum[ROWS][COLS];
        for (uint r = 0u; r < ROWS; r++)
            for (uint c = 0u; c < COLS; c++) sum[r][c] = ivec4(0);
        for (uint h = 0u; h < 2u; h++) {
            uvec4 t[ROWS];
            for (uint r = 0u; r < ROWS; r++) t[r] = x[x_at[r] + 2u * b + h];
            [[unroll]] for (uint i = 0u; i < 4u; i++)
                for (uint c = 0u; c < COLS; c++) {
                    uvec4 q = w[col[c] + (Q8_ROWS * b + 4u * h + i) * n_quads];
                    for (uint r = 0u; r < ROWS; r++) sum[r][c] += dot4(t[r][i], q);
                }
        }
        for (uint c = 0u; c < COLS; c++) {
            vec4 factor = uintBitsToFloat(w[col[c] + (Q8_ROWS * b + 8u) * n_quads]);
            for (uint r = 0u; r < ROWS; r++)
                acc[r][c] = fma(vec4(sum[r][c]), factor * x_factor[x_at[r] / 2u + b], acc[r][c]);
        }
    }
    finish_block(tile_m, tile_n);
}
