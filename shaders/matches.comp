// SPDX-License-Identifier: MIT
// y = 1 where the integers a and b are equal, else 0. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer A { ivec4 a[]; };
layout(set = 0, binding = 1) readonly buffer B { ivec4 b[]; };
layout(set = 0, binding = 2) writeonly buffer Y { vec4 y[]; };

#include "flat.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    y[i] = vec4(equal(a[i], b[i]));
}
