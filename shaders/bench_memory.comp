// SPDX-License-Identifier: MIT
// Measures memory by pattern. Every workgroup goes over a block of its own, `each` quads an invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

// Patterns: 0 read, 1 write, 2 copy, with neighbouring lanes on neighbouring quads.
// 3 read in rows, each lane in a row of its own; 4 read with all lanes on the same quad.
layout(constant_id = 3) const uint PATTERN = 0;

layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { vec4 y[]; };

layout(push_constant) uniform Push {
    uint each;
    uint mask; // quads - 1 of what is read: all of x, or a part that stays in the nearest cache
};

void main() {
    uint lanes = gl_WorkGroupSize.x, lane = gl_LocalInvocationID.x, block = group_index() * lanes * each;
    vec4 sum = vec4(0.0);
    for (uint i = 0u; i < each; i++) {
        uint at = PATTERN == 3u ? block + lane * each + i : PATTERN == 4u ? block + i : block + i * lanes + lane;
        at &= mask;
        if (PATTERN == 1u) y[at] = vec4(float(i));
        else if (PATTERN == 2u) y[at] = x[at];
        else sum += x[at];
    }
    if (PATTERN != 1u && PATTERN != 2u && sum.x > 1e30) y[0] = sum;
}
