// SPDX-License-Identifier: MIT
// Shared memory's bandwidth: every lane reads quads beside its neighbours', round and round over 16 KiB.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) writeonly buffer Y { vec4 y[]; };

layout(push_constant) uniform Push { uint rounds; };

const uint QUADS = 1024u;
shared vec4 tile[QUADS];

void main() {
    uint lanes = gl_WorkGroupSize.x, lane = gl_LocalInvocationID.x, at = lane;
    for (uint i = lane; i < QUADS; i += lanes) tile[i] = vec4(float(i & 7u));
    barrier();
    vec4 a = vec4(0.0), b = a, c = a, d = a;
    for (uint i = 0u; i < rounds; i++) {
        a += tile[at];
        b += tile[(at + lanes) & (QUADS - 1u)];
        c += tile[(at + 2u * lanes) & (QUADS - 1u)];
        d += tile[(at + 3u * lanes) & (QUADS - 1u)];
        at = (at + 4u * lanes) & (QUADS - 1u);
    }
    vec4 sum = a + b + c + d;
    if (sum.x < -1.0) y[0] = sum;
}
