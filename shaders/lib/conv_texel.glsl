// SPDX-License-Identifier: MIT
// Computes conv2d_texel with a weight in the storage type or (CONV_Q8) packed as FUM_PACK_Q8. Include after
// lib/gemm_texel.glsl.
#ifdef CONV_Q8
#include "lib/q8.glsl"
#endif
#include "conv2d.pc.h"

bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint total = pixels * batches, i = min(m, total - 1u), col = min(n, n_quads - 1u), at = i * n_quads + col;
    uint row_at = (row_begin + i / pixels * row_step) * n_quads;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, 1.0, b, row_at + col, residual_skip + at);
    if (inside && m < total && n < n_quads) y[y_skip + at] = quad_store(v);
}

// Returns quads of column `col` for the four terms from 4 k on of a tap.
void load_w(uint tap, uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
#ifdef CONV_Q8
    uint at = (tap * (k_size / 32u) + k / 8u) * Q8_ROWS * n_quads + col;
    uvec4 words = floatBitsToUint(texelFetch(w, int(at + k % 8u * n_quads)));
    q8_terms(words, texelFetch(w, int(at + 8u * n_quads)), w0, w1, w2, w3);
#else
    uint at = (tap * k_size + 4u * k) * n_quads + col;
    w0 = texel_load(w, at);
    w1 = texel_load(w, at + n_quads);
    w2 = texel_load(w, at + 2u * n_quads);
    w3 = texel_load(w, at + 3u * n_quads);
#endif
}

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, tile_n = tile / tiles_m;
    inside = tile_n < tiles_n;
    uint total = pixels * batches;

    int top[FETCHES], left[FETCHES];
    uint image[FETCHES], col[COLS];
    EACH_FETCH(f) {
        uint i = min(fetch_row(tile_m, f), total - 1u), p = i % pixels;
        image[f] = i / pixels;
        top[f] = int(first_y + p / out_w) * stride - pad;
        left[f] = int(p % out_w) * stride - pad;
    }
    EACH_COL(c) col[c] = min(tile_col(tile_n, c), n_quads - 1u);
    int height = int(in_h << upsample), width = int(in_w << upsample);

    gemm_clear();
    for (uint tap = 0u; tap < kernel_h * kernel_w; tap++) {
        uint x_at[FETCHES];
        bool valid[FETCHES];
        EACH_FETCH(f) {
            int iy = top[f] + int(tap / kernel_w), ix = left[f] + int(tap % kernel_w);
            valid[f] = iy >= 0 && iy < height && ix >= 0 && ix < width;
            // The index is within the window even if the pixel does not exist.
            uint cy = valid[f] ? uint(iy) >> upsample : first_in_y, cx = valid[f] ? uint(ix) >> upsample : 0u;
            x_at[f] = x_skip + ((image[f] * in_h + cy - first_in_y) * in_w + cx) * k_quads;
        }
        for (uint k = 0u; k < k_size / 4u; k++) {
            EACH_FETCH(f) {
                vec4 q = texel_load(x, x_at[f] + k);
                a[f] = valid[f] ? q : vec4(0.0);
            }
            EACH_COL(c) {
                vec4 w0, w1, w2, w3;
                load_w(tap, k, col[c], w0, w1, w2, w3);
                gemm_add(c, w0, w1, w2, w3);
            }
        }
#ifndef CONV_Q8 // whose channels are whole blocks
        if (K_TAIL != 0u) {
            uint k = k_size / 4u, left_over = k_size % 4u;
            EACH_FETCH(f) {
                vec4 q = quad_mask(texel_load(x, x_at[f] + k), k, k_size, 0.0);
                a[f] = valid[f] ? q : vec4(0.0);
            }
            EACH_COL(c) {
                uint i = (tap * k_size + 4u * k) * n_quads + col[c];
                vec4 w1 = vec4(0.0), w2 = vec4(0.0);
                if (left_over > 1u) w1 = texel_load(w, i + n_quads);
                if (left_over > 2u) w2 = texel_load(w, i + 2u * n_quads);
                gemm_add(c, texel_load(w, i), w1, w2, vec4(0.0));
            }
        }
#endif
    }

    GEMM_FINISH(tile_m, tile_n)
}
