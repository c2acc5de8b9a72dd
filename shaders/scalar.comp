// SPDX-License-Identifier: MIT
// y = x * mul + add, or y = min(max(x, mul), add) where CLAMP is set. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint CLAMP = 0;

INPUT(0, X, x);
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "scalar.pc.h"

void compute_item(uint item) {
    vec4 v = input_load(x, min(item, quads - 1u));
    v = CLAMP != 0u ? min(max(v, vec4(mul)), vec4(add)) : fma(v, vec4(mul), vec4(add));
    if (item < quads) y[item] = quad_store(v);
}

EACH_ITEM(compute_item)
