// SPDX-License-Identifier: MIT
// Measures the rate of products of cooperative matrices with f32 sums. Each subgroup keeps six matrices of f16 (or
// bf16), and adds the products of two by four of them to eight sums.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
#if defined(STORAGE_F16)
#define ELEMENT float16_t
#else
#extension GL_EXT_bfloat16 : require
#define ELEMENT bfloat16_t
#endif
#include "lib/index.glsl"

layout(constant_id = 3) const uint M = 16;
layout(constant_id = 4) const uint N = 16;
layout(constant_id = 5) const uint K = 16;
layout(constant_id = 6) const uint VARY = 0; // 1: for compilers that would take the products of the loop out of it

layout(set = 0, binding = 0) readonly buffer X { ELEMENT x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint rounds;
    float factor; // that matrices shrink by where they vary
};

#define A coopmat<ELEMENT, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define B coopmat<ELEMENT, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define C coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>

void main() {
    A a0, a1;
    B b0, b1, b2, b3;
    coopMatLoad(a0, x, 0, K, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(a1, x, M * K, K, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b0, x, 2 * M * K, N, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b1, x, 2 * M * K + K * N, N, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b2, x, 2 * M * K + 2 * K * N, N, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b3, x, 2 * M * K + 3 * K * N, N, gl_CooperativeMatrixLayoutRowMajor);
    C s0 = C(0.0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    for (uint i = 0u; i < rounds; i++) {
        if (VARY != 0u) {
            for (int e = 0; e < a0.length(); e++) {
                a0[e] = ELEMENT(float(a0[e]) * factor);
                a1[e] = ELEMENT(float(a1[e]) * factor);
            }
        }
        s0 = coopMatMulAdd(a0, b0, s0);
        s1 = coopMatMulAdd(a0, b1, s1);
        s2 = coopMatMulAdd(a0, b2, s2);
        s3 = coopMatMulAdd(a0, b3, s3);
        s4 = coopMatMulAdd(a1, b0, s4);
        s5 = coopMatMulAdd(a1, b1, s5);
        s6 = coopMatMulAdd(a1, b2, s6);
        s7 = coopMatMulAdd(a1, b3, s7);
    }
    // Never true, but the compiler cannot know.
    if (rounds == 0xffffffffu) {
        C sum = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
        coopMatStore(sum, y, 0, N, gl_CooperativeMatrixLayoutRowMajor);
    }
}
