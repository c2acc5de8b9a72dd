// conv2d.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_texel.glsl"

layout(push_constant) uniform Push {
    GEMM_PUSH
    CONV_PUSH
};

bool inside;

void finish(uint m, uint n, vec4 sum, vec4 b) {
    uint total = pixels * batches, i = min(m, total - 1u), col = min(n, nq - 1u), at = i * nq + col;
    uint row_at = (row_base + i / pixels * row_step) * nq;
    vec4 v = gemm_epilogue(sum, 1.0, b, row_at + col, residual_skip + at);
    if (inside && m < total && n < nq) y[y_skip + at] = quad_store(v);
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
    EACH_COL(c) col[c] = min(tile_col(tile_n, c), nq - 1u);
    int height = int(in_h << upsample), width = int(in_w << upsample);

    gemm_clear();
    for (uint tap = 0u; tap < kernel_h * kernel_w; tap++) {
        uint x_at[FETCHES];
        bool valid[FETCHES];
        EACH_FETCH(f) {
            int iy = top[f] + int(tap / kernel_w), ix = left[f] + int(tap % kernel_w);
            valid[f] = iy >= 0 && iy < height && ix >= 0 && ix < width;
            // An index within the window even where the pixel does not exist.
            uint cy = valid[f] ? uint(iy) >> upsample : first_in_y, cx = valid[f] ? uint(ix) >> upsample : 0u;
            x_at[f] = x_skip + ((image[f] * in_h + cy - first_in_y) * in_w + cx) * kq;
        }
        uint w_at = tap * k_size * nq;
        for (uint k = 0u; k < k_size / 4u; k++) {
            EACH_FETCH(f) {
                vec4 q = texel_load(x, x_at[f] + k);
                a[f] = valid[f] ? q : vec4(0.0);
            }
            EACH_COL(c) {
                uint i = w_at + 4u * k * nq + col[c];
                gemm_add(c, texel_load(w, i), texel_load(w, i + nq), texel_load(w, i + 2u * nq),
                         texel_load(w, i + 3u * nq));
            }
        }
        if (K_TAIL != 0u) {
            uint k = k_size / 4u, left_over = k_size % 4u;
            EACH_FETCH(f) {
                vec4 q = quad_mask(texel_load(x, x_at[f] + k), k, k_size, 0.0);
                a[f] = valid[f] ? q : vec4(0.0);
            }
            EACH_COL(c) {
                uint i = w_at + 4u * k * nq + col[c];
                vec4 w1 = vec4(0.0), w2 = vec4(0.0);
                if (left_over > 1u) w1 = texel_load(w, i + nq);
                if (left_over > 2u) w2 = texel_load(w, i + 2u * nq);
                gemm_add(c, texel_load(w, i), w1, w2, vec4(0.0));
            }
        }
    }

    GEMM_FINISH(tile_m, tile_n)
}
