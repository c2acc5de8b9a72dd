// SPDX-License-Identifier: MIT
// Multiplies as matmul.comp by a weight of type q8_0, with x as quantise_rows.comp wrote it. Products of integers, four
// in one instruction, are summed exactly within a block of 32 terms, and in f32 over the blocks.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_spirv_intrinsics : require
#define GEMM_X_QUAD uvec4
#define GEMM_W_QUAD uvec4
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"
#include "lib/matmul_columns.glsl"
#include "weights/q8_0/weight.glsl"

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
    uint tile = group_index(), tile_m = tile % tiles_m, tile_n = tile / tiles_m % tiles_n;
    inside = tile / tiles_m / tiles_n < batches;
    batch = min(tile / tiles_m / tiles_n, batches - 1u);
    uint x_at[ROWS], at[COLS], x_row = x_batch(batch) * rows;
    EACH_ROW(r) x_at[r] = x_skip + (x_row + min(tile_row(tile_m, r), rows - 1u)) * (k_quads / 4u);
    find_columns(tile_n);
    EACH_COL(c) at[c] = w_skip + w_batch(batch) * (k_size / W_TERMS * W_ROWS * n_quads) + col[c];

    gemm_clear();
    for (uint b = 0u; b < k_size / W_TERMS; b++) {
        ivec4 sum[ROWS][COLS];
        EACH_ROW(r) EACH_COL(c) sum[r][c] = ivec4(0);
        for (uint h = 0u; h < 2u; h++) {
            uvec4 t[ROWS];
            EACH_ROW(r) t[r] = x[x_at[r] + 2u * b + h];
            [[unroll]] for (uint i = 0u; i < 4u; i++)
                EACH_COL(c) {
                    uvec4 q = w_words(at[c] + (W_ROWS * b + 4u * h + i) * n_quads);
                    EACH_ROW(r) sum[r][c] += dot4(t[r][i], q);
                }
        }
        EACH_COL(c) {
            vec4 factor = w_block(at[c] + W_ROWS * b * n_quads);
            EACH_ROW(r) acc[r][c] = fma(vec4(sum[r][c]), factor * x_factor[x_at[r] / 2u + b], acc[r][c]);
        }
    }
    finish_block(tile_m, tile_n);
}
