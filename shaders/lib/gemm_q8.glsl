// What the kernels of matmul_q8 without texels share: blocks of outputs as lib/gemm.glsl has them, of a weight packed as
// FUM_PACK_Q8, whose words are those of four columns.
#define GEMM_W_QUAD uvec4
#include "lib/gemm.glsl"

layout(push_constant) uniform Push {
    GEMM_PUSH
    MATMUL_PUSH
};

#define BLOCK_ROWS 9u // of the weight, the last of them factors

bool inside;

void finish(uint m, uint n, vec4 sum) {
    uint r = min(m, rows - 1u), col = min(n, nq - 1u), at = r * nq + col;
    uint row_at = row_div == 0u ? 0u : (row_base + (row_first + r) / max(row_div, 1u)) * nq;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, scale, col, row_at + col, residual_skip + at);
    if (inside && m < rows && n < nq) y[y_skip + at] = quad_store(v);
}

// Where the block of outputs is: rows of x that are x_quads long, and columns.
#define GEMM_Q8_BEGIN(x_quads)                                                                                        \
    uint tile = group_index(), tile_m = tile % tiles_m, tile_n = tile / tiles_m % tiles_n;                            \
    inside = tile / tiles_m < tiles_n;                                                                                \
    uint x_at[ROWS], col[COLS];                                                                                       \
    for (uint r = 0u; r < ROWS; r++) x_at[r] = x_skip + min(tile_row(tile_m, r), rows - 1u) * (x_quads);              \
    for (uint c = 0u; c < COLS; c++) col[c] = w_skip + min(tile_col(tile_n, c), nq - 1u);                             \
    gemm_clear();
