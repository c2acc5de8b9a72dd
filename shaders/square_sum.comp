// SPDX-License-Identifier: MIT
// The sum of squares in one or two passes of a fixed order. Invocation k sums every parts-th quad from the k-th on. The
// last pass is one workgroup, whose sums its first invocation adds.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint LAST = 0;
layout(constant_id = 4) const uint AGAIN = 0;      // adds partial sums
layout(constant_id = 5) const uint HAS_BEFORE = 0; // adds another number

INPUT(0, X, x);
layout(set = 0, binding = 1) buffer Partial { float partial[]; };
layout(set = 0, binding = 2) readonly buffer Before { float before[]; };
layout(set = 0, binding = 3) writeonly buffer Y { float y[]; };

#include "square_sum.pc.h"

shared float sums[64];

float term(uint i) {
    if (AGAIN != 0u) return partial[i];
    vec4 v = quad_mask(input_load(x, i), (first + i) % row_quads, channels, 0.0);
    return dot(v, v);
}

// Adds `value` to a sum whose rounding error is carried along.
void add(inout float sum, inout float lost, float value) {
    precise float corrected = value - lost;
    precise float next = sum + corrected;
    precise float gained = next - sum;
    bool finite = (floatBitsToUint(next) & 0x7f800000u) != 0x7f800000u;
    lost = finite ? gained - corrected : 0.0;
    sum = next;
}

void main() {
    uint item = item_index();
    float sum = 0.0, lost = 0.0;
    for (uint i = item; i < count && item < parts; i += parts) add(sum, lost, term(i));
    if (LAST == 0u) {
        if (item < parts) partial[first_part + item] = sum;
        return;
    }
    sums[gl_LocalInvocationID.x] = sum;
    barrier();
    if (item != 0u) return;
    sum = HAS_BEFORE != 0u ? before[0] : 0.0;
    lost = 0.0;
    for (uint k = 0u; k < 64u; k++) add(sum, lost, sums[k]);
    y[0] = sum;
}
