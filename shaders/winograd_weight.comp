// SPDX-License-Identifier: MIT
// Transforms a convolution's kernel g of 3x3 taps for Winograd's minimal filtering: U = G g G^T. U is f32, with the
// quads of a tap TAPS TAPS times. winograd_input.glsl has the paper. It serves weights that change from call to call; others are
// transformed as they load (src/weights/winograd.c).
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint TILE = 4; // or 2
const uint TAPS = TILE + 2u;

INPUT(0, W, w);
layout(set = 0, binding = 1) writeonly buffer U { F32_QUAD u[]; };
#if defined(TEXEL_INPUTS)
#include "lib/touch.glsl"
INPUT_F32(2, OldU, old_u);
#endif

#include "winograd_weight.pc.h"

// PUT(i, row i of G g).
#define TRANSFORM(PUT, g0, g1, g2)                                                     \
    if (TILE == 2u) {                                                                  \
        vec4 a = 0.5 * (g0 + g2), b = 0.5 * g1;                                        \
        PUT(0u, g0) PUT(1u, a + b) PUT(2u, a - b) PUT(3u, g2)                          \
    } else {                                                                           \
        vec4 a = (g0 + g2) / -6.0, b = g1 / 6.0, c = g0 / 24.0 + g2 / 6.0, d = g1 / 12.0; \
        PUT(0u, 0.25 * g0) PUT(1u, a - b) PUT(2u, a + b)                               \
        PUT(3u, c + d) PUT(4u, c - d) PUT(5u, g2)                                      \
    }
#define PUT_COLUMN(i, value) t[i][j] = value;
#define PUT_POINT(j, value) u[to] = f32_quad_store(value); to += quads; // as in lib/winograd_input.glsl

void main() {
    uint item = item_index(), at = min(item, quads - 1u);
    uint to = u_skip + at;
#if defined(TEXEL_INPUTS)
    TOUCH_LINES(input_load_f32, old_u, TAPS * TAPS, u_skip + item - gl_LocalInvocationID.x, quads, u_skip + TAPS * TAPS * quads,
                nothing)
    to += nothing;
#endif

    vec4 t[6][3]; // G g
    [[unroll]] for (uint j = 0u; j < 3u; j++) {
        vec4 g0 = input_load(w, j * quads + at), g1 = input_load(w, (3u + j) * quads + at);
        vec4 g2 = input_load(w, (6u + j) * quads + at);
        TRANSFORM(PUT_COLUMN, g0, g1, g2)
    }
    if (item >= quads) return;
    [[unroll]] for (uint i = 0u; i < TAPS; i++) {
        TRANSFORM(PUT_POINT, t[i][0], t[i][1], t[i][2])
    }
}
