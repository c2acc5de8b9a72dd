// SPDX-License-Identifier: MIT
// Storage types. One of STORAGE_F32, STORAGE_F16, STORAGE_BF16 is defined by the build. QUAD is four elements as they
// lie in memory; quad_load and quad_store convert to and from vec4, rounding to nearest even. Sums are always f32.
#if defined(STORAGE_F16)
#extension GL_EXT_shader_16bit_storage : require
#define QUAD f16vec4
// Macros, so that no f16 value passes through a function: then 16-bit storage alone is enough, without f16 arithmetic.
// Values over f16's range become infinity and are found by the check for it.
#define quad_load(q) vec4(q)
#define quad_store(v) f16vec4(v)
#elif defined(STORAGE_BF16)
#define QUAD uvec2
vec4 quad_load(uvec2 q) {
    return vec4(uintBitsToFloat(q.x << 16), uintBitsToFloat(q.x & 0xffff0000u), uintBitsToFloat(q.y << 16),
                uintBitsToFloat(q.y & 0xffff0000u));
}
uvec4 bf16_bits(vec4 v) {
    uvec4 u = floatBitsToUint(v);
    uvec4 rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return mix(rounded, (u >> 16) | 0x40u, isnan(v));
}
uvec2 quad_store(vec4 v) {
    uvec4 b = bf16_bits(v);
    return uvec2(b.x | (b.y << 16), b.z | (b.w << 16));
}
#else
#define QUAD vec4
vec4 quad_load(vec4 q) { return q; }
vec4 quad_store(vec4 v) { return v; }
#endif

// F32_QUAD and f32_quad_store are for results that are f32 in every storage type. CPU drivers store elements one by one.
// So two floats are one number of 64 bits where PAIRED_STORES is defined.
#if defined(PAIRED_STORES)
#define F32_QUAD dvec2
dvec2 f32_quad_store(vec4 v) {
    return dvec2(packDouble2x32(floatBitsToUint(v.xy)), packDouble2x32(floatBitsToUint(v.zw)));
}
#else
#define F32_QUAD vec4
vec4 f32_quad_store(vec4 v) { return v; }
#endif

// Replaces those of four elements that are at or past `channels` by `fallback`. They are padding of undefined value.
// The first element is channel 4*c.
vec4 quad_mask(vec4 v, uint c, uint channels, float fallback) {
    uint first = c * 4u;
    if (first + 4u <= channels) return v;
    return vec4(first < channels ? v.x : fallback, first + 1u < channels ? v.y : fallback,
                first + 2u < channels ? v.z : fallback, fallback);
}
