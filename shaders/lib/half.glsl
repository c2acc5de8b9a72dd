// SPDX-License-Identifier: MIT
// Declares elements of cooperative matrices (ELEMENT), and quads of them that lie as bits in two words. Include after
// lib/storage.glsl. f16 or bf16 only.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#if defined(STORAGE_F16)
#define ELEMENT float16_t
vec4 half_load(uvec2 q) { return vec4(unpackFloat2x16(q.x), unpackFloat2x16(q.y)); }
uvec2 half_store(vec4 v) { return uvec2(packFloat2x16(f16vec2(v.xy)), packFloat2x16(f16vec2(v.zw))); }
#else
#extension GL_EXT_bfloat16 : require
#define ELEMENT bfloat16_t
vec4 half_load(uvec2 q) { return quad_load(q); }
uvec2 half_store(vec4 v) { return quad_store(v); }
#endif

// Barriers that make writes to shared memory visible. The single accesses do not: scripts/coherence takes that off
// them, since drivers would put a fence before each.
#define SHARED_ORDER \
    gl_StorageSemanticsShared, gl_SemanticsAcquireRelease | gl_SemanticsMakeAvailable | gl_SemanticsMakeVisible
#define shared_barrier() controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, SHARED_ORDER)
#define own_barrier() controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, SHARED_ORDER) // among a subgroup
