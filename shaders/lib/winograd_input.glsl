// SPDX-License-Identifier: MIT
// Computes the input half of a 3x3 convolution with Winograd's minimal filtering F(TILE x TILE, 3x3). It follows Lavin
// and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016). V = B^T d B for every tile of TAPS x TAPS
// pixels d, which overlap by two. V is f32 [TAPS TAPS][tiles][channels]. NORM: the image is read as act(x scale + shift);
// upsample: as its nearest-neighbour double.
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"

layout(constant_id = 3) const uint NORM = 0;
layout(constant_id = 4) const uint NORM_ACT = 0;
layout(constant_id = 5) const uint TILE = 4; // or 2
const uint TAPS = TILE + 2u;

INPUT(0, X, x);
INPUT_F32(1, Norm, norm); // [image][scale, shift][quad]
layout(set = 0, binding = 2) writeonly buffer V { F32_QUAD v[]; };
#if defined(TEXEL_INPUTS)
#include "lib/touch.glsl"
INPUT_F32(3, OldV, old_v);
#endif

#include "winograd_input.pc.h"

// PUT(i, row i of B^T d).
#define TRANSFORM(PUT, d0, d1, d2, d3, d4, d5)                                         \
    if (TILE == 2u) {                                                                  \
        PUT(0u, d0 - d2) PUT(1u, d1 + d2) PUT(2u, d2 - d1) PUT(3u, d1 - d3)            \
    } else {                                                                           \
        vec4 a = d4 - 4.0 * d2, b = d3 - 4.0 * d1, e = d4 - d2, f = 2.0 * (d3 - d1);   \
        PUT(0u, 4.0 * d0 - 5.0 * d2 + d4) PUT(1u, a + b) PUT(2u, a - b)                \
        PUT(3u, e + f) PUT(4u, e - f) PUT(5u, 4.0 * d1 - 5.0 * d3 + d5)                \
    }
#define PUT_COLUMN(i, value) t[i][j] = value;
// Points follow each other. An index from the one before takes CPU drivers less time than a product.
#define PUT_POINT(j, value) v[at] = f32_quad_store(value); at += step;

void main() {
    uint blocks = (k_quads + gl_WorkGroupSize.x - 1u) / gl_WorkGroupSize.x, group = group_index();
    uint tile = min(group / blocks, tiles - 1u);
    uint quad = group % blocks * gl_WorkGroupSize.x + gl_LocalInvocationID.x, k = min(quad, k_quads - 1u);
    uint image = tile / (tiles_x * tile_rows), in_image = tile % (tiles_x * tile_rows);
    int top = int(first_y + in_image / tiles_x * TILE) - 1, left = int(in_image % tiles_x * TILE) - 1;
    int height = int(in_h << upsample), width = int(in_w << upsample);
    vec4 scale = vec4(1.0), shift = vec4(0.0);
    if (NORM != 0u) {
        scale = input_load_f32(norm, norm_skip + image * 2u * k_quads + k);
        shift = input_load_f32(norm, norm_skip + (image * 2u + 1u) * k_quads + k);
    }

    uint at = tile * k_quads + k, step = tiles * k_quads;
#if defined(TEXEL_INPUTS)
    TOUCH_LINES(input_load_f32, old_v, TAPS * TAPS, tile * k_quads + quad - gl_LocalInvocationID.x, step, TAPS * TAPS * step, nothing)
    at += nothing;
#endif

    vec4 t[6][6]; // B^T d
    [[unroll]] for (uint j = 0u; j < TAPS; j++) {
        vec4 d[6];
        int ix = left + int(j);
        [[unroll]] for (uint i = 0u; i < TAPS; i++) {
            int iy = top + int(i);
            bool valid = iy >= 0 && iy < height && ix >= 0 && ix < width;
            uint cy = valid ? uint(iy) >> upsample : first_in_y, cx = valid ? uint(ix) >> upsample : 0u;
            vec4 q = input_load(x, x_skip + ((image * in_h + cy - first_in_y) * in_w + cx) * k_quads + k);
            if (NORM != 0u) q = act_apply(NORM_ACT, fma(q, scale, shift));
            d[i] = valid ? q : vec4(0.0);
        }
        TRANSFORM(PUT_COLUMN, d[0], d[1], d[2], d[3], d[4], d[5])
    }
    if (quad >= k_quads || group / blocks >= tiles) return;
    [[unroll]] for (uint i = 0u; i < TAPS; i++) {
        TRANSFORM(PUT_POINT, t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], t[i][5])
    }
}
