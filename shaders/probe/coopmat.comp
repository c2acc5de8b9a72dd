// SPDX-License-Identifier: MIT
// Compiles where the GLSL compiler knows cooperative matrices in this storage type: meson then builds the shaders that
// use them.
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#if defined(STORAGE_F16)
#define ELEMENT float16_t
#else
#extension GL_EXT_bfloat16 : require
#define ELEMENT bfloat16_t
#endif
layout(constant_id = 0) const uint SIZE = 16;
shared uvec4 memory[SIZE * SIZE];
void main() {
    coopmat<ELEMENT, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> a;
    coopMatLoad(a, memory, 0, 2, gl_CooperativeMatrixLayoutRowMajor);
    coopMatStore(a, memory, 0, 2, gl_CooperativeMatrixLayoutRowMajor);
}
