// SPDX-License-Identifier: MIT
// A quantile of the magnitudes of each image. One workgroup per image finds the element of a rank bit by bit: floats
// that are not negative are ordered as their bits are.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };

#include "abs_quantile.pc.h"

shared uint total, least;

uint magnitude(uint image, uint i) {
    uint row = image * (count / channels) + i / channels;
    return floatBitsToUint(x[row * row_floats + i % channels]) & 0x7fffffffu;
}

// Counts the elements whose bits are below `limit`.
uint count_below(uint image, uint limit) {
    uint lane = gl_LocalInvocationID.x, found = 0u;
    if (lane == 0u) total = 0u;
    barrier();
    for (uint i = lane; i < count; i += gl_WorkGroupSize.x) found += magnitude(image, i) < limit ? 1u : 0u;
    atomicAdd(total, found);
    barrier();
    uint all = total;
    barrier();
    return all;
}

// The smallest element above `limit`.
uint next_above(uint image, uint limit) {
    uint lane = gl_LocalInvocationID.x, found = 0xffffffffu;
    if (lane == 0u) least = 0xffffffffu;
    barrier();
    for (uint i = lane; i < count; i += gl_WorkGroupSize.x) {
        uint bits = magnitude(image, i);
        if (bits > limit) found = min(found, bits);
    }
    atomicMin(least, found);
    barrier();
    return least;
}

void main() {
    uint image = group_index();
    if (image >= images) return;
    uint value = 0u;
    for (int bit = 30; bit >= 0; bit--) {
        uint candidate = value | (1u << bit);
        if (count_below(image, candidate) <= rank) value = candidate;
    }
    uint next = value;
    if (fraction > 0.0 && count_below(image, value + 1u) == rank + 1u) next = next_above(image, value);
    if (gl_LocalInvocationID.x != 0u) return;
    float low = uintBitsToFloat(value), high = uintBitsToFloat(next);
    y[image] = low + fraction * (high - low);
}
