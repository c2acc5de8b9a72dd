// SPDX-License-Identifier: MIT
// The least work that a dispatch can have: one workgroup writes one quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) writeonly buffer Y { vec4 y[]; };

void main() {
    if (item_index() == 0u) y[0] = vec4(1.0);
}
