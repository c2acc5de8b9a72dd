// SPDX-License-Identifier: MIT
// Holds what matmul and conv2d share: a block of ROWS rows x COLS quads of outputs per invocation, summed in f32
// registers. The invocations of a workgroup lie LANES_N along the output channels and the others along the rows. There
// is no shared memory. Each step of the sum loads ROWS quads of x and 4 COLS quads of w for 16 ROWS COLS fused
// multiply-adds. lib/gemm_texel.glsl offers the same names by other means.
#extension GL_EXT_control_flow_attributes : require
#include "lib/gemm_spec.glsl"

#define LANES_M (gl_WorkGroupSize.x / LANES_N)

// The place of the invocation. If one lane lies along an axis, the index does not depend on the lane, and the
// compiler can see that.
uint lane_n() { return LANES_N == 1u ? 0u : gl_LocalInvocationID.x % LANES_N; }
uint lane_m() { return LANES_M == 1u ? 0u : gl_LocalInvocationID.x / LANES_N; }
uint tile_row(uint tile, uint r) { return (tile * ROWS + r) * LANES_M + lane_m(); }
uint fetch_row(uint tile, uint f) { return tile_row(tile, f); }
uint tile_col(uint tile, uint c) { return (tile * COLS + c) * LANES_N + lane_n(); }

#ifdef QUANTISED
#define GEMM_W_QUAD uvec4 // words
#endif
#ifndef GEMM_W_QUAD // what a quad of x and of w is, where it is not one of the storage type
#define GEMM_W_QUAD QUAD
#endif
#ifndef GEMM_X_QUAD
#define GEMM_X_QUAD QUAD
#endif
#if defined(TEXEL_INPUTS)
#include "lib/texel.glsl"
layout(set = 0, binding = 0) uniform TEXELS x;
layout(set = 0, binding = 1) uniform TEXELS w;
layout(set = 0, binding = 2) uniform TEXELS bias;
layout(set = 0, binding = 3) uniform TEXELS row;
layout(set = 0, binding = 4) uniform TEXELS residual;
#define x_load(i) texel_load(x, i)
#define x_if(valid, q) mix(vec4(0.0), q, bvec4(valid)) // a fetch within a branch is slower
#define w_load(i) texel_load(w, i)
#define bias_load(i) texel_load(bias, i)
#define row_load(i) texel_load(row, i)
#define residual_load(i) texel_load(residual, i)
#else
layout(set = 0, binding = 0) readonly buffer X { GEMM_X_QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer W { GEMM_W_QUAD w[]; };
layout(set = 0, binding = 2) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 3) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 4) readonly buffer Residual { QUAD residual[]; };
#define x_load(i) quad_load(x[i])
#define x_if(valid, q) ((valid) ? (q) : vec4(0.0)) // loads only what is valid: 7 % faster on lavapipe
#ifndef w_load // a quad of a dense w
#define w_load(i) quad_load(w[i])
#endif
#define w_words(i) w[i] // four words of a quantised w
#define bias_load(i) quad_load(bias[i])
#define row_load(i) quad_load(row[i])
#define residual_load(i) quad_load(residual[i])
#endif
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };

#define FETCHES ROWS // quads of x that the invocation loads, a step
#define EACH_ROW(r) for (uint r = 0u; r < ROWS; r++)
#define EACH_COL(c) for (uint c = 0u; c < COLS; c++)
#define EACH_FETCH(f) EACH_ROW(f)

vec4 acc[ROWS][COLS];
vec4 a[FETCHES];

void gemm_clear() {
    EACH_ROW(r) EACH_COL(c) acc[r][c] = vec4(0.0);
}

// acc[·][c] += a (4 terms of the sum) times rows w0..w3 of w.
void gemm_add(uint c, vec4 w0, vec4 w1, vec4 w2, vec4 w3) {
    EACH_ROW(r) {
        vec4 s = acc[r][c];
        s = fma(vec4(a[r].x), w0, s);
        s = fma(vec4(a[r].y), w1, s);
        s = fma(vec4(a[r].z), w2, s);
        acc[r][c] = fma(vec4(a[r].w), w3, s);
    }
}

#include "lib/gemm_epilogue.glsl"

// Ends a kernel with finish(m, n, v, b) for every row m, column n, sum v and bias b of its block. The shader defines
// finish. Small blocks use a loop that is not unrolled and takes the sums one after the other from acc[0][0]. Unrolled,
// these loads and stores are most of the kernel, and CPU drivers compile them longer than they run. In large blocks the
// moves would cost more than that.
#define GEMM_FINISH_ONE(tile_m, r, tile_n, c, sum) \
    finish(tile_row(tile_m, r), tile_col(tile_n, c), sum, gemm_bias(tile_col(tile_n, c)));
#define GEMM_FINISH(tile_m, tile_n)                                                   \
    if (ROWS > 8u) {                                                                  \
        for (uint r = 0u; r < ROWS; r++)                                              \
            for (uint c = 0u; c < COLS; c++)                                          \
                GEMM_FINISH_ONE(tile_m, r, tile_n, c, acc[r][c])                      \
    } else {                                                                          \
        [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {                            \
            [[dont_unroll]] for (uint c = 0u; c < COLS; c++) {                        \
                GEMM_FINISH_ONE(tile_m, r, tile_n, c, acc[0][0])                      \
                for (uint i = 0u; i + 1u < COLS; i++) acc[0][i] = acc[0][i + 1u];     \
            }                                                                         \
            for (uint j = 0u; j + 1u < ROWS; j++)                                     \
                for (uint i = 0u; i < COLS; i++) acc[j][i] = acc[j + 1u][i];          \
        }                                                                             \
    }
