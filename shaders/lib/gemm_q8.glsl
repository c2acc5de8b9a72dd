// SPDX-License-Identifier: MIT
// Holds what the kernels of matmul_q8 without texels share: matmul's blocks with a weight packed as FUM_PACK_Q8, whose
// words hold four columns.
#define GEMM_W_QUAD uvec4
#include "lib/gemm.glsl"
#include "lib/gemm_matmul.glsl"
#include "lib/q8.glsl"

// The place of the block of outputs: rows of x that are x_quads long, and columns.
#define GEMM_Q8_BEGIN(x_quads)                                                                               \
    uint tile = group_index(), tile_m = tile % tiles_m, tile_n = tile / tiles_m % tiles_n;                   \
    inside = tile / tiles_m / tiles_n < batches;                                                             \
    batch = min(tile / tiles_m / tiles_n, batches - 1u);                                                     \
    uint x_at[ROWS], col[COLS], w_at = w_skip + w_batch(batch) * (k_size / 32u * Q8_ROWS * n_quads);              \
    uint x_row = x_batch(batch) * rows;                                                                      \
    for (uint r = 0u; r < ROWS; r++)                                                                         \
        x_at[r] = x_skip + (x_row + min(tile_row(tile_m, r), rows - 1u)) * (x_quads);                        \
    for (uint c = 0u; c < COLS; c++) col[c] = w_at + block_col(tile_n, c);                                   \
    gemm_clear();
