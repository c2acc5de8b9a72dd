// SPDX-License-Identifier: MIT
// dm = A dy A^T for every tile of TILE x TILE pixels of dy, f32 [TAPS TAPS][tiles][channels]: the reverse of
// winograd_output.glsl. Pixels past the image count as zero.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint TILE = 4; // or 2
const uint TAPS = TILE + 2u;

INPUT(0, Dy, dy);
layout(set = 0, binding = 1) writeonly buffer Dm { F32_QUAD dm[]; };
#if defined(TEXEL_INPUTS)
#include "lib/touch.glsl"
INPUT_F32(2, OldDm, old_dm);
#endif

#include "winograd_output_gradient.pc.h"

// PUT(i, row i of A d).
#define TRANSFORM(PUT, d0, d1, d2, d3)                                                 \
    if (TILE == 2u) {                                                                  \
        PUT(0u, d0) PUT(1u, d0 + d1) PUT(2u, d0 - d1) PUT(3u, -d1)                     \
    } else {                                                                           \
        vec4 a = d0 + d2, b = d1 + d3, e = d0 + 4.0 * d2, f = 2.0 * d1 + 8.0 * d3;     \
        PUT(0u, d0) PUT(1u, a + b) PUT(2u, a - b)                                      \
        PUT(3u, e + f) PUT(4u, e - f) PUT(5u, d3)                                      \
    }
#define PUT_COLUMN(i, value) t[i][j] = value;
#define PUT_POINT(j, value) dm[at] = f32_quad_store(value); at += step; // as in lib/winograd_input.glsl

void main() {
    uint blocks = (n_quads + gl_WorkGroupSize.x - 1u) / gl_WorkGroupSize.x, group = group_index();
    uint tile = min(group / blocks, tiles - 1u);
    uint quad = group % blocks * gl_WorkGroupSize.x + gl_LocalInvocationID.x, n = min(quad, n_quads - 1u);
    uint image = tile / (tiles_x * tile_rows), in_image = tile % (tiles_x * tile_rows);
    uint top = in_image / tiles_x * TILE, left = in_image % tiles_x * TILE;

    uint at = tile * n_quads + n, step = tiles * n_quads;
#if defined(TEXEL_INPUTS)
    TOUCH_LINES(input_load_f32, old_dm, TAPS * TAPS, tile * n_quads + quad - gl_LocalInvocationID.x, step, TAPS * TAPS * step,
                nothing)
    at += nothing;
#endif

    vec4 t[6][4]; // A dy
    [[unroll]] for (uint j = 0u; j < TILE; j++) {
        vec4 d[4];
        [[unroll]] for (uint i = 0u; i < TILE; i++) {
            bool valid = top + i < out_h && left + j < out_w;
            uint pixel = valid ? (image * out_h + top + i) * out_w + left + j : 0u;
            vec4 q = input_load(dy, pixel * n_quads + n);
            d[i] = valid ? q : vec4(0.0);
        }
        TRANSFORM(PUT_COLUMN, d[0], d[1], d[2], d[3])
    }
    if (quad >= n_quads || group / blocks >= tiles) return;
    [[unroll]] for (uint i = 0u; i < TAPS; i++) {
        TRANSFORM(PUT_POINT, t[i][0], t[i][1], t[i][2], t[i][3])
    }
}
