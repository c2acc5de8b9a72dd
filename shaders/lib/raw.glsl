// SPDX-License-Identifier: MIT
// Moves four elements as bits, whatever they mean. Nothing is rounded, and one variant serves every type of its size
// (STORAGE_F32: four bytes, also i32; STORAGE_BF16: two bytes, also f16).
#if defined(STORAGE_F32)
#define RAW uvec4
uint raw_get(RAW q, uint k) { return q[k]; }
#else
#define RAW uvec2
uint raw_get(RAW q, uint k) { return ((k < 2u ? q.x : q.y) >> (16u * (k & 1u))) & 0xffffu; }
#endif
RAW raw_make(uvec4 e) {
#if defined(STORAGE_F32)
    return e;
#else
    return uvec2(e.x | (e.y << 16), e.z | (e.w << 16));
#endif
}

// Reads inputs by quads as lib/input.glsl does: RAW_INPUT declares one, raw_load reads a quad of it.
#if !defined(TEXEL_INPUTS)
#define RAW_INPUT(number, Block, name) layout(set = 0, binding = number) readonly buffer Block { RAW name[]; }
#define raw_load(name, index) name[index]
#elif defined(STORAGE_F32)
#define RAW_INPUT(number, Block, name) layout(set = 0, binding = number) uniform samplerBuffer name
#define raw_load(name, index) floatBitsToUint(texelFetch(name, int(index)))
#else
#define RAW_INPUT(number, Block, name) layout(set = 0, binding = number) uniform usamplerBuffer name
#define raw_load(name, index) raw_make(texelFetch(name, int(index)))
#endif
