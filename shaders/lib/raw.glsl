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
