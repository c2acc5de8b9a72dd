// SPDX-License-Identifier: MIT
// 2-D convolution as a matrix product summed over the taps: y = act(x * w + bias + row) + residual. Rows are output
// pixels; pixels outside the image count as zero. An upsampled image is read as its nearest-neighbour double; one with
// NORM as act(x scale + shift) by its channels' scales and shifts. Include after lib/gemm.glsl or lib/gemm_texel.glsl.
#include "conv2d.pc.h"
#ifdef QUANTISED
#include "weight.glsl"
#endif

#ifdef CONV_NORM
layout(constant_id = 9) const uint NORM = 0; // 1: normalise what is read
layout(constant_id = 10) const uint NORM_ACT = 0;
layout(set = 0, binding = 6) readonly buffer Norm { vec4 norm[]; }; // [image][scale, shift][quad]
#endif

bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint total = pixels * batches, i = min(m, total - 1u), col = min(n, n_quads - 1u), at = i * n_quads + col;
    uint row_at = (row_begin + i / pixels * row_step) * n_quads;
    vec4 v = gemm_epilogue(EPILOGUE_BITS, sum, 1.0, b, row_at + col, residual_skip + at);
    if (inside && m < total && n < n_quads) y[y_skip + at] = quad_store(v);
}

// Returns quad k, at x[at], of a pixel of the image as the convolution sees it.
vec4 read_x(uint at, uint image, uint k) {
    vec4 v = x_load(at);
#ifdef CONV_NORM
    uint i = norm_skip + image * 2u * k_quads + k;
    if (NORM != 0u) v = act_apply(NORM_ACT, fma(v, norm[i], norm[i + k_quads]));
#endif
    return v;
}

// Returns quads of column `col`, which starts at w_at, for the four terms from 4 k on of a tap.
void load_w(uint tap, uint k, uint col, uint w_at, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
#ifdef QUANTISED
    uint each = W_TERMS / 4u, at = (tap * (k_size / W_TERMS) + k / each) * W_ROWS * n_quads + col;
    w_terms(at, w_block(at), k % each, w0, w1, w2, w3);
#else
    uint at = w_at + 4u * k * panel_quads;
    w0 = w_load(at);
    w1 = w_load(at + panel_quads);
    w2 = w_load(at + 2u * panel_quads);
    w3 = w_load(at + 3u * panel_quads);
#endif
}

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, tile_n = tile / tiles_m;
    inside = tile_n < tiles_n;
    uint total = pixels * batches;

    int top[FETCHES], left[FETCHES];
    uint image[FETCHES], col[COLS], w_first[COLS];
    EACH_FETCH(f) {
        uint i = min(fetch_row(tile_m, f), total - 1u), p = i % pixels;
        image[f] = i / pixels;
        top[f] = int(first_y + p / out_w) * stride - pad;
        left[f] = int(p % out_w) * stride - pad_x;
    }
    EACH_COL(c) {
        col[c] = min(tile_col(tile_n, c), n_quads - 1u);
        w_first[c] = col[c] / panel_quads * panel_quads * k_size + col[c] % panel_quads;
    }
    int height = int(in_h << upsample), width = int(in_w << upsample);

    gemm_clear();
    for (uint tap = 0u; tap < kernel_h * kernel_w; tap++) {
        uint x_at[FETCHES], w_at[COLS];
        EACH_COL(c) w_at[c] = w_first[c] + tap * k_size * n_quads;
        bool valid[FETCHES];
        EACH_FETCH(f) {
            int iy = top[f] + int(tap / kernel_w), ix = left[f] + int(tap % kernel_w);
            valid[f] = iy >= 0 && iy < height && ix >= 0 && ix < width;
            // The index is within the window even if the pixel does not exist.
            uint cy = valid[f] ? uint(iy) >> upsample : first_in_y, cx = valid[f] ? uint(ix) >> upsample : 0u;
            x_at[f] = x_skip + ((image[f] * in_h + cy - first_in_y) * in_w + cx) * k_quads;
        }
        for (uint k = 0u; k < k_size / 4u; k++) {
            EACH_FETCH(f) a[f] = x_if(valid[f], read_x(x_at[f] + k, image[f], k));
            EACH_COL(c) {
                vec4 w0, w1, w2, w3;
                load_w(tap, k, col[c], w_at[c], w0, w1, w2, w3);
                gemm_add(c, w0, w1, w2, w3);
            }
        }
#ifndef QUANTISED // whose channels are whole blocks
        if (K_TAIL != 0u) {
            uint k = k_size / 4u, left_over = k_size % 4u;
            EACH_FETCH(f) a[f] = x_if(valid[f], quad_mask(read_x(x_at[f] + k, image[f], k), k, k_size, 0.0));
            EACH_COL(c) {
                uint i = w_at[c] + 4u * k * panel_quads;
                vec4 w1 = vec4(0.0), w2 = vec4(0.0);
                if (left_over > 1u) w1 = w_load(i + panel_quads);
                if (left_over > 2u) w2 = w_load(i + 2u * panel_quads);
                gemm_add(c, w_load(i), w1, w2, vec4(0.0));
            }
        }
#endif
    }

    GEMM_FINISH(tile_m, tile_n)
}
