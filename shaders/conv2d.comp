// 2-D convolution as a matrix product summed over the taps: y = act(x * w + bias + row) + residual. Rows are output
// pixels; pixels outside the image count as zero. With UPSAMPLE the image is read as its nearest-neighbour double.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"

layout(constant_id = 10) const uint KERNEL_H = 1;
layout(constant_id = 11) const uint KERNEL_W = 1;
layout(constant_id = 12) const int STRIDE = 1;
layout(constant_id = 13) const int PAD = 0;
layout(constant_id = 14) const uint UPSAMPLE = 0;
layout(constant_id = 15) const uint IN_H = 1;
layout(constant_id = 16) const uint IN_W = 1;
layout(constant_id = 17) const uint OUT_W = 1;

layout(push_constant) uniform Push {
    uint pixels;       // outputs of one image in this dispatch
    uint batches;
    uint tiles_m;      // tiles of pixels, all images together
    uint first_y;      // first output row of the dispatch
    uint first_in_y;   // first input row of the window
    uint x_skip, y_skip, residual_skip;
    uint row_base;     // row operand of the first image
    uint row_step;     // 1: each image has its own; 0: all share one
};

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, tile_n = tile / tiles_m;
    bool inside = tile_n < TILES_N;
    uint total = pixels * batches;

    int top[ROWS], left[ROWS];
    uint image[ROWS], col[COLS];
    for (uint r = 0u; r < ROWS; r++) {
        uint i = min(tile_row(tile_m, r), total - 1u), p = i % pixels;
        image[r] = i / pixels;
        top[r] = int(first_y + p / OUT_W) * STRIDE - PAD;
        left[r] = int(p % OUT_W) * STRIDE - PAD;
    }
    for (uint c = 0u; c < COLS; c++) col[c] = min(tile_col(tile_n, c), NQ - 1u);
    const int height = int(IN_H << UPSAMPLE), width = int(IN_W << UPSAMPLE);

    gemm_clear();
    for (uint tap = 0u; tap < KERNEL_H * KERNEL_W; tap++) {
        uint x_at[ROWS];
        bool valid[ROWS];
        for (uint r = 0u; r < ROWS; r++) {
            int iy = top[r] + int(tap / KERNEL_W), ix = left[r] + int(tap % KERNEL_W);
            valid[r] = iy >= 0 && iy < height && ix >= 0 && ix < width;
            // An index within the window even where the pixel does not exist.
            uint cy = valid[r] ? uint(iy) >> UPSAMPLE : first_in_y, cx = valid[r] ? uint(ix) >> UPSAMPLE : 0u;
            x_at[r] = x_skip + ((image[r] * IN_H + cy - first_in_y) * IN_W + cx) * KQ;
        }
        uint w_at = tap * K * NQ;
        for (uint k = 0u; k < K / 4u; k++) {
            for (uint r = 0u; r < ROWS; r++) a[r] = valid[r] ? quad_load(x[x_at[r] + k]) : vec4(0.0);
            for (uint c = 0u; c < COLS; c++) {
                uint i = w_at + 4u * k * NQ + col[c];
                gemm_add(c, quad_load(w[i]), quad_load(w[i + NQ]), quad_load(w[i + 2u * NQ]),
                         quad_load(w[i + 3u * NQ]));
            }
        }
        if (K % 4u != 0u) {
            const uint k = K / 4u, left_over = K % 4u;
            for (uint r = 0u; r < ROWS; r++)
                a[r] = valid[r] ? quad_mask(quad_load(x[x_at[r] + k]), k, K, 0.0) : vec4(0.0);
            for (uint c = 0u; c < COLS; c++) {
                uint i = w_at + 4u * k * NQ + col[c];
                vec4 w1 = vec4(0.0), w2 = vec4(0.0);
                if (left_over > 1u) w1 = quad_load(w[i + NQ]);
                if (left_over > 2u) w2 = quad_load(w[i + 2u * NQ]);
                gemm_add(c, quad_load(w[i]), w1, w2, vec4(0.0));
            }
        }
    }

    for (uint r = 0u; r < ROWS; r++) {
        uint m = tile_row(tile_m, r), i = min(m, total - 1u);
        uint row_at = (row_base + image[r] * row_step) * NQ;
        for (uint c = 0u; c < COLS; c++) {
            uint at = i * NQ + col[c];
            vec4 v = gemm_epilogue(acc[r][c], 1.0, col[c], row_at + col[c], residual_skip + at);
            if (inside && m < total && tile_col(tile_n, c) < NQ) y[y_skip + at] = quad_store(v);
        }
    }
}
