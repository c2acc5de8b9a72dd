// SPDX-License-Identifier: MIT
// Measures the device's arithmetic limit: chains of fma() in registers, twelve scalars of f32 (or f16, as vectors of
// four) an invocation. A round has 96 steps of four lanes' worth. Nothing is loaded, and one store that never happens
// keeps the sums.
#version 450
#extension GL_GOOGLE_include_directive : require
#if defined(STORAGE_F16)
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define VEC f16vec4
#else
#define VEC vec4
#endif
#include "lib/index.glsl"

layout(set = 0, binding = 0) writeonly buffer Y { vec4 y[]; };

layout(push_constant) uniform Push {
    uint rounds;
    float factor, offset; // values tend to offset / (1 - factor), which is 1: no overflow, nothing subnormal
};

#define STEP                                                                                                           \
    s0 = fma(s0, f, o);                                                                                                \
    s1 = fma(s1, f, o);                                                                                                \
    s2 = fma(s2, f, o);
#define STEPS STEP STEP STEP STEP

void main() {
    VEC s0 = VEC(float(item_index() & 255u) * 0.001), s1 = s0 + s0, s2 = s1 + s0;
    VEC f = VEC(factor), o = VEC(offset);
    for (uint i = 0u; i < rounds; i++) {
        STEPS STEPS
    }
    vec4 sum = vec4(s0) + vec4(s1) + vec4(s2);
    if (sum.x > 1e4) y[0] = sum;
}
