// SPDX-License-Identifier: MIT
// The gradient by a kernel of 3x3 taps from that by its transform: dg = G^T dU G, the reverse of winograd_weight.comp.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint TILE = 4; // or 2
const uint TAPS = TILE + 2u;

INPUT_F32(0, Du, du);
layout(set = 0, binding = 1) writeonly buffer Dw { QUAD dw[]; };

#include "winograd_weight.pc.h"

// PUT(i, row i of G^T u).
#define TRANSFORM(PUT, u0, u1, u2, u3, u4, u5)                                         \
    if (TILE == 2u) {                                                                  \
        vec4 a = 0.5 * (u1 + u2);                                                      \
        PUT(0u, u0 + a) PUT(1u, 0.5 * (u1 - u2)) PUT(2u, a + u3)                       \
    } else {                                                                           \
        vec4 a = (u1 + u2) / 6.0, b = u3 + u4;                                         \
        PUT(0u, 0.25 * u0 - a + b / 24.0)                                              \
        PUT(1u, (u2 - u1) / 6.0 + (u3 - u4) / 12.0)                                    \
        PUT(2u, b / 6.0 - a + u5)                                                      \
    }
#define PUT_COLUMN(i, value) t[i][j] = value;
#define PUT_TAP(j, value) if (inside) dw[(i * 3u + j) * quads + at] = quad_store(value);

void main() {
    uint item = item_index(), at = min(item, quads - 1u);
    bool inside = item < quads;
    vec4 t[3][6]; // G^T u
    [[unroll]] for (uint j = 0u; j < TAPS; j++) {
        vec4 d[6];
        [[unroll]] for (uint i = 0u; i < TAPS; i++)
            d[i] = input_load_f32(du, u_skip + (i * TAPS + j) * quads + at);
        TRANSFORM(PUT_COLUMN, d[0], d[1], d[2], d[3], d[4], d[5])
    }
    [[unroll]] for (uint i = 0u; i < 3u; i++) {
        TRANSFORM(PUT_TAP, t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], t[i][5])
    }
}
