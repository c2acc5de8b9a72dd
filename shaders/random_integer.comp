// SPDX-License-Identifier: MIT
// Draws integers in [0, limit): the high word of limit times the first word of philox. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/philox.glsl"

layout(set = 0, binding = 0) readonly buffer Key { uvec4 key; }; // seed low, seed high, offset
layout(set = 0, binding = 1) writeonly buffer Y { uvec4 y[]; };

#include "random.pc.h"

void compute_item(uint i) {
    if (i >= quads) return;
    uint row_quads = (channels + 3u) / 4u, row = (first + i) / row_quads, c = (first + i) % row_quads * 4u;
    uvec4 v = uvec4(0u);
    for (uint k = 0u; k < 4u && c + k < channels; k++) {
        uint low, high;
        umulExtended(philox(uvec4(key.z + offset, 0u, row * channels + c + k, 0u), key.xy).x, limit, high, low);
        v[k] = high;
    }
    y[i] = v;
}

EACH_ITEM(compute_item)
