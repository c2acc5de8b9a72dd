// What matmul and conv2d share: a block of ROWS rows x COLS quads of outputs per invocation, summed in f32 registers.
// The invocations of a workgroup lie LANES_N along the output channels and the rest along the rows; no shared memory.
// Each step of the sum loads ROWS quads of x and 4 COLS quads of w for 16 ROWS COLS fused multiply-adds.
layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const uint COLS = 2;
layout(constant_id = 5) const uint LANES_N = 8;
layout(constant_id = 6) const uint ACT = 0;
layout(constant_id = 7) const uint EPILOGUE = 0; // sum of the bits below
layout(constant_id = 8) const uint K_TAIL = 0;   // 1: k is not a multiple of 4
// Sizes are push constants (k: length of the sum, of one tap; n: output channels), so that a driver compiles one
// kernel for all shapes of a kind: on CPU drivers that takes longer than many a dispatch.
#define GEMM_PUSH uint k_size, n_size, kq, nq, tiles_n; // kq, nq: quads of a row of x and of the output

#define HAS_BIAS ((EPILOGUE & 1u) != 0u)
#define HAS_ROW ((EPILOGUE & 2u) != 0u)
#define HAS_RESIDUAL ((EPILOGUE & 4u) != 0u)

#define LANES_M (gl_WorkGroupSize.x / LANES_N)

// Where the invocation stands; with one lane along an axis the index does not depend on the lane, and the compiler
// is to see that.
uint lane_n() { return LANES_N == 1u ? 0u : gl_LocalInvocationID.x % LANES_N; }
uint lane_m() { return LANES_M == 1u ? 0u : gl_LocalInvocationID.x / LANES_N; }
uint tile_row(uint tile, uint r) { return (tile * ROWS + r) * LANES_M + lane_m(); }
uint tile_col(uint tile, uint c) { return (tile * COLS + c) * LANES_N + lane_n(); }

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer W { QUAD w[]; };
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

// act(scale sum + bias + row) + residual; col: output quad, row_at and residual_at: indices of theirs.
vec4 gemm_epilogue(vec4 sum, float scale, uint col, uint row_at, uint residual_at) {
    vec4 v = sum * scale;
    if (HAS_BIAS) v += quad_load(bias[col]);
    if (HAS_ROW) v += quad_load(row[row_at]);
    v = act_apply(ACT, v);
    if (HAS_RESIDUAL) v += quad_load(residual[residual_at]);
    return v;
}
