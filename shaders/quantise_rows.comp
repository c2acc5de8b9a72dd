// SPDX-License-Identifier: MIT
// Quantises blocks of 32 numbers to integers of 8 bits, two quads of words, and one factor: ggml's q8_0 with a factor
// in f32. One invocation per block. A non-finite number makes the factor NaN, so that it is not lost.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) writeonly buffer Q { uvec4 q[]; };
layout(set = 0, binding = 2) writeonly buffer F { float factor[]; };

#include "quantise_rows.pc.h"

uint pack(vec4 v) {
    uvec4 i = uvec4(ivec4(roundEven(v))) & 0xffu;
    return i.x | (i.y << 8) | (i.z << 16) | (i.w << 24);
}

void main() {
    uint i = item_index(), to = first + i;
    if (i >= blocks) return;
    vec4 v[8], most = vec4(0.0);
    bool finite = true;
    for (uint k = 0u; k < 8u; k++) {
        v[k] = quad_load(x[x_skip + 8u * i + k]);
        finite = finite && !any(isnan(v[k])) && !any(isinf(v[k]));
        most = max(most, abs(v[k]));
    }
    float d = max(max(most.x, most.y), max(most.z, most.w)) / 127.0;
    // Below that the inverse would overflow.
    float inverse = finite && d > 1e-37 ? 1.0 / d : 0.0;
    for (uint h = 0u; h < 2u; h++)
        q[2u * to + h] = uvec4(pack(v[4u * h] * inverse), pack(v[4u * h + 1u] * inverse), pack(v[4u * h + 2u] * inverse),
                               pack(v[4u * h + 3u] * inverse));
    factor[to] = finite ? d : uintBitsToFloat(0x7fc00000u);
}
