// SPDX-License-Identifier: MIT
// y = x * mul + add, or y = min(max(x, mul), add) where CLAMP is set. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint CLAMP = 0;

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "scalar.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    vec4 v = quad_load(x[i]);
    v = CLAMP != 0u ? min(max(v, vec4(mul)), vec4(add)) : fma(v, vec4(mul), vec4(add));
    y[i] = quad_store(v);
}
