// SPDX-License-Identifier: MIT
// Holds what matmul_texel and conv2d_texel share. A workgroup is one subgroup whose lanes lie along the output
// channels, each with COLS quads of ROWS rows, summed in f32 registers. A lane fetches, for each quad of terms, the quad
// of x of one row, or of several if there are more rows than lanes. Shuffles with a constant lane hand each row's terms
// to all lanes. On CPU drivers a shuffle is one instruction, and a fetch some forty.
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/gemm_spec.glsl"

layout(set = 0, binding = 0) uniform TEXELS x;
// Texels of a quantised w are four words, fetched as the f32 that they are not: no arithmetic touches them.
#ifdef QUANTISED
#define GEMM_W_TEXELS samplerBuffer
#else
#define GEMM_W_TEXELS TEXELS
#endif
layout(set = 0, binding = 1) uniform GEMM_W_TEXELS w;
layout(set = 0, binding = 2) uniform TEXELS bias;
layout(set = 0, binding = 3) uniform TEXELS row;
layout(set = 0, binding = 4) uniform TEXELS residual;
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };

#define LANES gl_WorkGroupSize.x
#define FETCHES ((ROWS + LANES - 1u) / LANES)
#define EACH_ROW(r) [[unroll]] for (uint r = 0u; r < ROWS; r++)
#define EACH_COL(c) [[unroll]] for (uint c = 0u; c < COLS; c++)
#define EACH_FETCH(f) [[unroll]] for (uint f = 0u; f < FETCHES; f++)

uint tile_row(uint tile, uint r) { return tile * ROWS + r; }
// Returns the row of x whose quads this lane fetches.
uint fetch_row(uint tile, uint f) { return tile * ROWS + f * LANES + gl_SubgroupInvocationID; }
uint tile_col(uint tile, uint c) { return (tile * COLS + c) * LANES + gl_SubgroupInvocationID; }
#define x_load(i) texel_load(x, i)
// Fetches in any case, since a fetch within a branch is slower.
vec4 x_if(bool valid, vec4 q) { return valid ? q : vec4(0.0); }
#define w_load(i) texel_load(w, i)
#define w_words(i) floatBitsToUint(texelFetch(w, int(i)))
#define bias_load(i) texel_load(bias, i)
#define row_load(i) texel_load(row, i)
#define residual_load(i) texel_load(residual, i)

vec4 acc[ROWS][COLS];
vec4 a[FETCHES];

void gemm_clear() {
    EACH_ROW(r) EACH_COL(c) acc[r][c] = vec4(0.0);
}

// acc[·][c] += a (4 terms of the sum) times rows w0..w3 of w.
void gemm_add(uint c, vec4 w0, vec4 w1, vec4 w2, vec4 w3) {
    EACH_ROW(r) {
        vec4 q = a[r / LANES], s = acc[r][c];
        s = fma(vec4(subgroupShuffle(q.x, r % LANES)), w0, s);
        s = fma(vec4(subgroupShuffle(q.y, r % LANES)), w1, s);
        s = fma(vec4(subgroupShuffle(q.z, r % LANES)), w2, s);
        acc[r][c] = fma(vec4(subgroupShuffle(q.w, r % LANES)), w3, s);
    }
}

#include "lib/gemm_epilogue.glsl"

// Ends a kernel with finish(m, n, v, b) for every row m, column n, sum v and bias b of its block. A kernel that looks
// its epilogue up serves little work in one column. There a loop that is not unrolled takes the sums one after the
// other from acc[0][0]. Unrolled, its loads and stores would be most of the kernel and of its compile time.
#define GEMM_FINISH(tile_m, tile_n)                                                                       \
    EACH_COL(c) {                                                                                         \
        uint n = tile_col(tile_n, c);                                                                     \
        vec4 b = gemm_bias(n);                                                                            \
        if (COLS > 1u || EPILOGUE != 8u) {                                                                \
            EACH_ROW(r) finish(tile_row(tile_m, r), n, acc[r][c], b);                                     \
        } else {                                                                                          \
            [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {                                            \
                finish(tile_row(tile_m, r), n, acc[0][0], b);                                             \
                [[unroll]] for (uint i = 0u; i + 1u < ROWS; i++) acc[i][0] = acc[i + 1u][0];              \
            }                                                                                             \
        }                                                                                                 \
    }
