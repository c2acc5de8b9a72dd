// SPDX-License-Identifier: MIT
// A weight from its file's order and type to the kernels': see enum fum_pack. Works on bits, so that every device rounds
// alike and none flushes small halves. One invocation per quad of the result; for transposed weights neighbours are
// neighbours in the file.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

const uint F32 = 0u, F16 = 1u, BF16 = 2u;

layout(constant_id = 3) const uint FROM = F32;
layout(constant_id = 4) const uint TO = F32;
layout(constant_id = 5) const uint TRANSPOSE = 0; // else rows of the result are rows of the file

layout(set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { uint y[]; };

#include "device_pack.pc.h"

uint element(uint i) {
    if (FROM == F32) return x[i];
    return (x[i / 2u] >> (16u * (i & 1u))) & 0xffffu;
}

uint half_to_float(uint h) {
    uint m = h & 0x7fffu, u = (m << 13) + 0x38000000u;
    if (m >= 0x7c00u) u = 0x7f800000u | (m << 13);
    else if (m < 0x400u) u = floatBitsToUint(float(m) * 5.9604644775390625e-8); // 2^-24
    return u | ((h & 0x8000u) << 16);
}

uint float_to_half(uint u) {
    uint sign = (u >> 16) & 0x8000u;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) return sign | 0x7e00u;
    if (u >= 0x477ff000u) return sign | 0x7c00u;
    // Adding 0.5 leaves the mantissa of a subnormal half, rounded to nearest even, in the low bits.
    if (u < 0x38800000u) return sign | (floatBitsToUint(uintBitsToFloat(u) + 0.5) - 0x3f000000u);
    return sign | ((u + 0xfffu + ((u >> 13) & 1u) - 0x38000000u) >> 13);
}

uint float_to_bfloat(uint u) {
    if ((u & 0x7fffffffu) > 0x7f800000u) return (u >> 16) | 0x40u;
    return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}

uint convert(uint v) {
    if (FROM == TO) return v;
    uint u = FROM == F32 ? v : FROM == F16 ? half_to_float(v) : v << 16;
    return TO == F32 ? u : TO == F16 ? float_to_half(u) : float_to_bfloat(u);
}

void main() {
    uint i = item_index(), quads = (columns + 3u) / 4u;
    if (i >= rows * quads) return;
    uint row = TRANSPOSE != 0u ? i % rows : i / quads, q = TRANSPOSE != 0u ? i / rows : i % quads;
    uint inner = row % channels * taps + row / channels;
    uvec4 v = uvec4(0u);
    for (uint k = 0u; k < 4u; k++) {
        uint c = q * 4u + k;
        if (c < columns) v[k] = convert(element(TRANSPOSE != 0u ? c * rows + inner : row * columns + c));
    }
    uint to = first_quad + row * row_quads + q;
    if (TO == F32) {
        for (uint k = 0u; k < 4u; k++) y[4u * to + k] = v[k];
    } else {
        y[2u * to] = v.x | (v.y << 16);
        y[2u * to + 1u] = v.z | (v.w << 16);
    }
}
