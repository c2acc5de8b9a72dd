// SPDX-License-Identifier: MIT
// The mean and variance of each channel over all rows, in two passes of a fixed order. The first computes mean and sum
// of squared differences of chunks by Welford's recurrence, the second joins them (Chan, Golub and LeVeque).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint LAST = 0; // joins chunks

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) buffer Partial { vec4 partial[]; }; // [chunk][mean, m2][quad]
layout(set = 0, binding = 2) writeonly buffer Y { vec4 y[]; };   // [mean, variance][quad]

#include "batch_stats.pc.h"

void sum_chunk(uint q, uint chunk) {
    vec4 mean = vec4(0.0), m2 = vec4(0.0);
    float count = 0.0;
    for (uint r = chunk; r < rows; r += chunks) {
        vec4 v = quad_load(x[r * quads + q]), delta = v - mean;
        count += 1.0;
        mean = fma(delta, vec4(1.0 / count), mean);
        m2 = fma(delta, v - mean, m2);
    }
    partial[chunk * 2u * quads + q] = mean;
    partial[(chunk * 2u + 1u) * quads + q] = m2;
}

void join_chunks(uint q) {
    vec4 mean = vec4(0.0), m2 = vec4(0.0);
    float before = 0.0;
    for (uint chunk = 0u; chunk < chunks; chunk++) {
        float count = float((rows - chunk + chunks - 1u) / chunks), all = before + count;
        vec4 delta = partial[chunk * 2u * quads + q] - mean;
        mean = fma(delta, vec4(count / all), mean);
        m2 += partial[(chunk * 2u + 1u) * quads + q] + delta * delta * (before * count / all);
        before = all;
    }
    y[q] = mean;
    y[quads + q] = m2 / divisor;
}

void main() {
    uint item = item_index();
    if (LAST != 0u) {
        if (item < quads) join_chunks(item);
    } else if (item < quads * chunks) {
        sum_chunk(item % quads, item / quads);
    }
}
