// SPDX-License-Identifier: MIT
// What the kernels of matmul share beyond lib/gemm.glsl or lib/gemm_texel.glsl: push constants and one output.
layout(constant_id = 9) const uint TRANSPOSED = 0; // w is [N, K]
layout(constant_id = 10) const uint GATE = 0;      // activation of the gates

#include "matmul.pc.h"
#ifdef QUANTISED
#include "weight.glsl"
#endif

// Returns the batch of x and of w for batch b of the output.
uint x_batch(uint b) { return w_share == 0u ? 0u : b; }
uint w_batch(uint b) { return w_share == 0u ? b : b / max(w_share, 1u) % w_batches; }

uint touched = 0u; // what finish adds to its index: always 0, see lib/touch.glsl
uint batch;
bool inside;
uint col[COLS]; // quads of w's columns

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint flat_row = batch * rows + min(m, rows - 1u), col = min(n, n_quads - 1u), at = flat_row * n_quads + col;
    uint row_at = row_share == 0u ? 0u : (row_begin + (row_phase + flat_row) / max(row_share, 1u)) * n_quads;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, scale, b, row_at + col, residual_skip + at);
    if (inside && m < rows && n < n_quads) y[y_skip + at + touched] = quad_store(v);
}
