// SPDX-License-Identifier: MIT
// dx of a pixel is the sum of dy over the windows whose first largest element it is. One invocation per quad of channels
// of a pixel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 2) writeonly buffer Dx { QUAD dx[]; };

#include "pool.pc.h"
#include "lib/pool.glsl"

// 1 for each channel whose first largest element of the window is that pixel.
vec4 first_largest(pool_window w, uint image, int iy, int ix) {
    vec4 at = quad_load(x[image + uint(iy * int(in_w) + ix) * row_quads]);
    bvec4 beaten = bvec4(false);
    for (int y = w.top; y < w.bottom; y++)
        for (int z = w.left; z < w.right; z++) {
            vec4 v = quad_load(x[image + uint(y * int(in_w) + z) * row_quads]);
            bool before = y < iy || (y == iy && z < ix);
            bvec4 beats = before ? greaterThanEqual(v, at) : greaterThan(v, at);
            beaten = bvec4(uvec4(beaten) | uvec4(beats));
        }
    return vec4(not(beaten));
}

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint pixel = i / row_quads, images = pixel / in_w / in_h, q = i % row_quads;
    uint x_image = skip[0] + images * in_h * in_w * row_quads + q;
    uint dy_image = skip[1] + images * out_h * out_w * row_quads + q;
    int iy = int(pixel / in_w % in_h), ix = int(pixel % in_w);
    vec4 sum = vec4(0.0);
    for (int oy = first_window(iy); oy <= last_window(iy, out_h); oy++)
        for (int ox = first_window(ix); ox <= last_window(ix, out_w); ox++)
            sum += quad_load(dy[dy_image + uint(oy * int(out_w) + ox) * row_quads]) *
                   first_largest(window_of(oy, ox), x_image, iy, ix);
    dx[skip[2] + i] = quad_store(sum);
}
