// y = act(x * w + bias + row) + residual as conv2d, by cooperative matrices: a matrix product summed over the taps, whose
// tiles of x are gathered from the image.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"

layout(push_constant) uniform Push {
    uint k_size, n_size, kq, nq, tiles_n, epilogue; // as GEMM_PUSH of lib/gemm.glsl
    uint kernel_h, kernel_w;
    int stride, pad;
    uint upsample; // 1: the image is read as its double
    uint in_h, in_w, out_w;
    uint pixels;       // outputs of one image in this dispatch
    uint batches;
    uint tiles_m;      // tiles of pixels, all images together
    uint first_y;      // first output row of the dispatch
    uint first_in_y;   // first input row of the window
    uint x_skip, y_skip, residual_skip;
    uint row_base;     // row operand of the first image
    uint row_step;     // 1: each image has its own; 0: all share one
    uint norm_skip;    // quads of norm before the first image's
};
#include "lib/coopmat.glsl" // uses these

layout(constant_id = 17) const uint NORM = 0; // 1: x is normalised as it is staged
layout(constant_id = 18) const uint NORM_ACT = 0;

layout(set = 0, binding = 6) readonly buffer Norm { vec4 norm[]; }; // [image][scale, shift][quad]

uvec2 tile;
uint steps_k; // of one tap
// The output pixels whose inputs this invocation stages: image, first row and column of the kernel over it.
uint image[X_EACH];
int top[X_EACH], left[X_EACH];

// A unit of a pixel whose first channel is 4 q.
uvec4 normalise(uvec4 u, uint of_image, uint q) {
    for (uint i = 0u; i < 2u; i++) {
        uint at = norm_skip + of_image * 2u * kq + min(q + i, kq - 1u);
        vec4 v = act_apply(NORM_ACT, fma(half_load(i == 0u ? u.xy : u.zw), norm[at], norm[at + kq]));
        if (i == 0u)
            u.xy = half_store(v);
        else
            u.zw = half_store(v);
    }
    return u;
}

void fetch(uint step) {
    uint tap = step / steps_k, k = step % steps_k * TILE_K;
    int ky = int(tap / kernel_w), kx = int(tap % kernel_w);
    int height = int(in_h << upsample), width = int(in_w << upsample);
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        int iy = top[i] + ky, ix = left[i] + kx;
        uint first = k + x_column(i) * 8u;
        next_x[i] = uvec4(0u);
        if (iy >= 0 && iy < height && ix >= 0 && ix < width && (K_TAIL == 0u || first < k_size)) {
            uint pixel = (image[i] * in_h + (uint(iy) >> upsample) - first_in_y) * in_w + (uint(ix) >> upsample);
            next_x[i] = x_unit(x_skip + pixel * kq, first / 4u);
            if (NORM != 0u) next_x[i] = normalise(next_x[i], image[i], first / 4u);
        }
        if (K_TAIL != 0u) next_x[i] = unit_mask(next_x[i], first, k_size);
    }
    fetch_w(tap * k_size * nq, k, tile.y);
}

void finish(uint m, uint n, vec4 sum) {
    if (m >= pixels * batches || n >= nq) return;
    uint at = m * nq + n, row_at = (row_base + m / pixels * row_step) * nq;
    y[y_skip + at] = quad_store(coopmat_epilogue(sum, 1.0, n, row_at + n, residual_skip + at));
}

void main() {
    uint i = group_index();
    if (i >= tiles_m * tiles_n) return;
    tile = tile_place(i, tiles_m, tiles_n);
    steps_k = (k_size + TILE_K - 1u) / TILE_K;
    [[unroll]] for (uint r = 0u; r < X_EACH; r++) {
        uint m = min(tile.x * TILE_M + x_row(r), pixels * batches - 1u), p = m % pixels;
        image[r] = m / pixels;
        top[r] = int(first_y + p / out_w) * stride - pad;
        left[r] = int(p % out_w) * stride - pad;
    }
    coopmat_run(kernel_h * kernel_w * steps_k, tile.x, tile.y);
}
