// SPDX-License-Identifier: MIT
// The rate of dot products of four packed 8-bit integers with 32-bit sums, as bench_fma: eight chains an invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_spirv_intrinsics : require
#include "lib/index.glsl"

// OpSDot of SPV_KHR_integer_dot_product, which this compiler's GLSL has no word for; format 0: four 8-bit integers
// packed.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot_packed(int a, int b, spirv_literal uint format);

layout(set = 0, binding = 0) writeonly buffer Y { vec4 y[]; };

layout(push_constant) uniform Push {
    uint rounds;
    int factor; // four packed
};

void main() {
    ivec4 s = ivec4(item_index()) + ivec4(0, 1, 2, 3), t = s + 4;
    for (uint i = 0u; i < rounds; i++) {
        for (uint k = 0u; k < 8u; k++) {
            s.x += dot_packed(s.x, factor, 0u);
            s.y += dot_packed(s.y, factor, 0u);
            s.z += dot_packed(s.z, factor, 0u);
            s.w += dot_packed(s.w, factor, 0u);
            t.x += dot_packed(t.x, factor, 0u);
            t.y += dot_packed(t.y, factor, 0u);
            t.z += dot_packed(t.z, factor, 0u);
            t.w += dot_packed(t.w, factor, 0u);
        }
    }
    s += t;
    if ((s.x & s.y & s.z & s.w) == 0x7fffffff) y[0] = vec4(s);
}
