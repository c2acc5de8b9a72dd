// SPDX-License-Identifier: MIT
// Computes conv2d with a weight in the storage type or (CONV_Q8) packed as FUM_PACK_Q8. Include after lib/gemm.glsl.
#ifdef CONV_Q8
#include "lib/q8.glsl"
#endif
layout(constant_id = 9) const uint NORM = 0; // 1: normalise what is read
layout(constant_id = 10) const uint NORM_ACT = 0;

layout(set = 0, binding = 6) readonly buffer Norm { vec4 norm[]; }; // [image][scale, shift][quad]

#include "conv2d.pc.h"

bool inside;

void finish(uint m, uint n, vec4 sum) {
    uint total = pixels * batches, i = min(m, total - 1u), col = min(n, n_quads - 1u), at = i * n_quads + col;
    uint row_at = (row_begin + i / pixels * row_step) * n_quads;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, 1.0, col, row_at + col, residual_skip + at);
    if (inside && m < total && n < n_quads) y[y_skip + at] = quad_store(v);
}

// Returns quad k, at x[at], of a pixel of the image as the convolution sees it.
vec4 read_x(uint at, uint image, uint k) {
    vec4 v = quad_load(x[at]);
    if (NORM == 0u) return v;
    uint i = norm_skip + image * 2u * k_quads + k;
    return act_apply(NORM_ACT, fma(v, norm[i], norm[i + k_quads]));
}

// Returns quads of column `col` for the four terms from 4 k on of a tap.
void load_w(uint tap, uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
#ifdef CONV_Q8
    uint at = (tap * (k_size / 32u) + k / 8u) * Q8_ROWS * n_quads + col;
    q8_terms(w[at + k % 8u * n_quads], uintBitsToFloat(w[at + 8u * n_quads]), w0, w1, w2, w3);
#else
    uint at = (tap * k_size + 4u * k) * n_quads + col;
    w0 = quad_load(w[at]);
    w1 = quad_load(w[at + n_quads]);
    w2 = quad_load(w[at + 2u * n_quads]);
    w3 = quad_load(w[at + 3u * n_quads]);
#endif
}

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, tile_n = tile / tiles_m;
    inside = tile_n < tiles_n;
    uint total = pixels * batches;

    int top[ROWS], left[ROWS];
    uint image[ROWS], col[COLS];
    for (uint r = 0u; r < ROWS; r++) {
        uint i = min(tile_row(tile_m, r), total - 1u), p = i % pixels;
        image[r] = i / pixels;
        top[r] = int(first_y + p / out_w) * stride - pad;
        left[r] = int(p % out_w) * stride - pad;
    }
    for (uint c = 0u; c < COLS; c++) col[c] = min(tile_col(tile_n, c), n_quads - 1u);
    int height = int(in_h << upsample), width = int(in_w << upsample);

    gemm_clear();
    for (uint tap = 0u; tap < kernel_h * kernel_w; tap++) {
        uint x_at[ROWS];
        bool valid[ROWS];
        for (uint r = 0u; r < ROWS; r++) {
            int iy = top[r] + int(tap / kernel_w), ix = left[r] + int(tap % kernel_w);
            valid[r] = iy >= 0 && iy < height && ix >= 0 && ix < width;
            // The index is within the window even if the pixel does not exist.
            uint cy = valid[r] ? uint(iy) >> upsample : first_in_y, cx = valid[r] ? uint(ix) >> upsample : 0u;
            x_at[r] = x_skip + ((image[r] * in_h + cy - first_in_y) * in_w + cx) * k_quads;
        }
        for (uint k = 0u; k < k_size / 4u; k++) {
            for (uint r = 0u; r < ROWS; r++) a[r] = valid[r] ? read_x(x_at[r] + k, image[r], k) : vec4(0.0);
            for (uint c = 0u; c < COLS; c++) {
                vec4 w0, w1, w2, w3;
                load_w(tap, k, col[c], w0, w1, w2, w3);
                gemm_add(c, w0, w1, w2, w3);
            }
        }
#ifndef CONV_Q8 // whose channels are whole blocks
        if (K_TAIL != 0u) {
            uint k = k_size / 4u, left_over = k_size % 4u;
            for (uint r = 0u; r < ROWS; r++)
                a[r] = valid[r] ? quad_mask(read_x(x_at[r] + k, image[r], k), k, k_size, 0.0) : vec4(0.0);
            for (uint c = 0u; c < COLS; c++) {
                uint i = (tap * k_size + 4u * k) * n_quads + col[c];
                vec4 w1 = vec4(0.0), w2 = vec4(0.0);
                if (left_over > 1u) w1 = quad_load(w[i + n_quads]);
                if (left_over > 2u) w2 = quad_load(w[i + 2u * n_quads]);
                gemm_add(c, quad_load(w[i]), w1, w2, vec4(0.0));
            }
        }
#endif
    }

    GEMM_FINISH(tile_m, tile_n)
}
