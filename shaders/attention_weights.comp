// SPDX-License-Identifier: MIT
// From rows of attention's scores in f32 to its weights in the storage type: softmax(scale x) times a factor. A workgroup
// takes a row. Infinite scores become the largest finite ones, as in attention.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
layout(constant_id = 3) const uint THREADS = 64; // of the workgroup; a power of two

#include "attention_weights.pc.h"
layout(set = 0, binding = 0) readonly buffer Scores { vec4 scores[]; };
layout(set = 0, binding = 1) writeonly buffer Weights { QUAD weights[]; };

const float LOWEST = -3.0e38;

shared float partial[THREADS];

float score(float s) {
    s *= scale;
    return abs(s) > -LOWEST ? sign(s) * -LOWEST : s;
}

vec4 quad(uint at, uint q) {
    vec4 s = scores[at + q];
    return quad_mask(vec4(score(s.x), score(s.y), score(s.z), score(s.w)), q, keys, LOWEST);
}

void main() {
    uint row = group_index(), lane = gl_LocalInvocationID.x, quads = (keys + 3u) / 4u;
    if (row >= rows) return; // all of the workgroup
    float top = LOWEST, sum = 0.0;
    for (uint q = lane; q < quads; q += THREADS) {
        vec4 s = quad(row * quads, q);
        top = max(top, max(max(s.x, s.y), max(s.z, s.w)));
    }
    partial[lane] = top;
    barrier();
    for (uint i = THREADS / 2u; i > 0u; i /= 2u) {
        if (lane < i) partial[lane] = max(partial[lane], partial[lane + i]);
        barrier();
    }
    top = partial[0];
    barrier();
    for (uint q = lane; q < quads; q += THREADS) {
        vec4 e = quad_mask(exp(quad(row * quads, q) - top), q, keys, 0.0);
        sum += (e.x + e.y) + (e.z + e.w);
    }
    partial[lane] = sum;
    barrier();
    for (uint i = THREADS / 2u; i > 0u; i /= 2u) {
        if (lane < i) partial[lane] += partial[lane + i];
        barrier();
    }
    float inverse = factor / partial[0];
    for (uint q = lane; q < quads; q += THREADS)
        weights[row * quads + q] = quad_store(quad_mask(exp(quad(row * quads, q) - top) * inverse, q, keys, 0.0));
}
