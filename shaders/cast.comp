// SPDX-License-Identifier: MIT
// y = x in the storage type of this variant. One invocation per quad. x is read as words, since its type is another.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

#define FROM_F32 0
#define FROM_F16 1
#define FROM_BF16 2
#define FROM_I32 3

layout(constant_id = 3) const uint FROM = 0; // enum fum_dtype

layout(set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "cast.pc.h"

void compute_item(uint i) {
    if (i >= quads) return;
    vec4 v;
    if (FROM == FROM_F32) v = uintBitsToFloat(uvec4(x[4u * i], x[4u * i + 1u], x[4u * i + 2u], x[4u * i + 3u]));
    else if (FROM == FROM_I32) v = vec4(ivec4(x[4u * i], x[4u * i + 1u], x[4u * i + 2u], x[4u * i + 3u]));
    else {
        uint low = x[2u * i], high = x[2u * i + 1u];
        if (FROM == FROM_F16) v = vec4(unpackHalf2x16(low), unpackHalf2x16(high));
        else v = uintBitsToFloat(uvec4(low << 16, low & 0xffff0000u, high << 16, high & 0xffff0000u));
    }
    y[i] = quad_store(v);
}

EACH_ITEM(compute_item)
