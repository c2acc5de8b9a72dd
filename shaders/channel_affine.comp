// SPDX-License-Identifier: MIT
// y = act(a x + b) with a scale and a shift for every channel. One invocation per quad of channels and block of
// BLOCK rows, whose a and b it loads once.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"

layout(constant_id = 3) const uint BLOCK = 8;
layout(constant_id = 4) const uint ACT = 0;

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Factors { vec4 factors[]; }; // [a, b][quad]
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "channel_affine.pc.h"

void main() {
    uint item = item_index();
    uint q = item % quads, first = item / quads * BLOCK;
    if (first >= rows) return;
    vec4 a = factors[q], b = factors[q + quads];
    uint count = min(BLOCK, rows - first), i = first * quads + q;
    for (uint r = 0u; r < count; r++, i += quads)
        y[y_skip + i] = quad_store(act_apply(ACT, fma(quad_load(x[x_skip + i]), a, b)));
}
