// SPDX-License-Identifier: MIT
// Holds what matmul and conv2d share: a block of ROWS rows x COLS quads of outputs per invocation, summed in f32
// registers. The invocations of a workgroup lie LANES_N along the output channels and the others along the rows. There
// is no shared memory. Each step of the sum loads ROWS quads of x and 4 COLS quads of w for 16 ROWS COLS fused
// multiply-adds.
#extension GL_EXT_control_flow_attributes : require
#include "lib/gemm_spec.glsl"

#define EPILOGUE_BITS (EPILOGUE == 8u ? epilogue : EPILOGUE)

#define LANES_M (gl_WorkGroupSize.x / LANES_N)

// The place of the invocation. With one lane along an axis the index does not depend on the lane, which lets the
// compiler see that.
uint lane_n() { return LANES_N == 1u ? 0u : gl_LocalInvocationID.x % LANES_N; }
uint lane_m() { return LANES_M == 1u ? 0u : gl_LocalInvocationID.x / LANES_N; }
uint tile_row(uint tile, uint r) { return (tile * ROWS + r) * LANES_M + lane_m(); }
uint tile_col(uint tile, uint c) { return (tile * COLS + c) * LANES_N + lane_n(); }

#ifndef GEMM_W_QUAD // what a quad of x and of w is, where it is not one of the storage type
#define GEMM_W_QUAD QUAD
#endif
#ifndef GEMM_X_QUAD
#define GEMM_X_QUAD QUAD
#endif
layout(set = 0, binding = 0) readonly buffer X { GEMM_X_QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer W { GEMM_W_QUAD w[]; };
layout(set = 0, binding = 2) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 3) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 4) readonly buffer Residual { QUAD residual[]; };
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };

vec4 acc[ROWS][COLS];
vec4 a[ROWS];

void gemm_clear() {
    for (uint r = 0u; r < ROWS; r++)
        for (uint c = 0u; c < COLS; c++) acc[r][c] = vec4(0.0);
}

// acc[·][c] += a (4 terms of the sum) times rows w0..w3 of w.
void gemm_add(uint c, vec4 w0, vec4 w1, vec4 w2, vec4 w3) {
    for (uint r = 0u; r < ROWS; r++) {
        vec4 s = acc[r][c];
        s = fma(vec4(a[r].x), w0, s);
        s = fma(vec4(a[r].y), w1, s);
        s = fma(vec4(a[r].z), w2, s);
        acc[r][c] = fma(vec4(a[r].w), w3, s);
    }
}

// Returns act(scale sum + bias + row) + residual with the terms that flags selects. col: output quad. row_at,
// residual_at: their indices.
vec4 gemm_epilogue(uint flags, vec4 sum, float scale, uint col, uint row_at, uint residual_at) {
    vec4 v = sum * scale;
    if ((flags & 1u) != 0u) v += quad_load(bias[col]);
    if ((flags & 2u) != 0u) v += quad_load(row[row_at]);
    v = act_apply(ACT, v);
    if ((flags & 4u) != 0u) v += quad_load(residual[residual_at]);
    return v;
}

// Ends a kernel with finish(m, n, v), which the shader defines, for every row m, column n and sum v of its block. Small
// blocks use a loop that is not unrolled and takes the sums one after the other from acc[0][0]. Unrolled, these loads
// and stores are most of the kernel, and CPU drivers compile them longer than they run. In large blocks the moves would
// cost more than that.
#define GEMM_FINISH(tile_m, tile_n)                                                                       \
    if (ROWS > 8u) {                                                                                      \
        for (uint r = 0u; r < ROWS; r++)                                                                  \
            for (uint c = 0u; c < COLS; c++) finish(tile_row(tile_m, r), tile_col(tile_n, c), acc[r][c]); \
    } else {                                                                                              \
        [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {                                                \
            [[dont_unroll]] for (uint c = 0u; c < COLS; c++) {                                            \
                finish(tile_row(tile_m, r), tile_col(tile_n, c), acc[0][0]);                              \
                for (uint i = 0u; i + 1u < COLS; i++) acc[0][i] = acc[0][i + 1u];                         \
            }                                                                                             \
            for (uint j = 0u; j + 1u < ROWS; j++)                                                         \
                for (uint i = 0u; i < COLS; i++) acc[j][i] = acc[j + 1u][i];                              \
        }                                                                                                 \
    }
