// SPDX-License-Identifier: MIT
// Computes y = (x - mean) / sqrt(var + eps) gamma + beta over each row. One invocation per row, so there is no shared
// memory and the order of the sums is fixed. Mean and variance come from Welford's recurrence in each of four columns,
// merged by Chan's formula.
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint HAS_GAMMA = 0;
layout(constant_id = 4) const uint HAS_BETA = 0;

INPUT(0, X, x);
INPUT(1, Gamma, gamma);
INPUT(2, Beta, beta);
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "rowwise.pc.h"

// Adds one value to the mean and squared differences of n others.
void add_value(float v, inout float n, inout float mean, inout float m2) {
    float delta = v - mean;
    n += 1.0;
    mean += delta / n;
    m2 = fma(delta, v - mean, m2);
}

void main() {
    uint row = item_index(), quads = (channels + 3u) / 4u;
    if (row >= rows) return;
    uint at = x_skip + row * quads;
    vec4 means = vec4(0.0), m2s = vec4(0.0);
    for (uint i = 0u; i < channels / 4u; i++) {
        vec4 v = input_load(x, at + i), delta = v - means;
        means = fma(delta, vec4(1.0 / float(i + 1u)), means);
        m2s = fma(delta, v - means, m2s);
    }
    // Four columns of equal counts: their mean, and the spread between them.
    float mean = (means.x + means.y + means.z + means.w) * 0.25, n = float(channels / 4u * 4u);
    vec4 between = means - mean;
    float m2 = m2s.x + m2s.y + m2s.z + m2s.w + dot(between, between) * float(channels / 4u);
    if (channels % 4u != 0u) {
        vec4 v = input_load(x, at + channels / 4u);
        add_value(v.x, n, mean, m2);
        if (channels % 4u > 1u) add_value(v.y, n, mean, m2);
        if (channels % 4u > 2u) add_value(v.z, n, mean, m2);
    }
    float inverse = inversesqrt(m2 / float(channels) + eps);
    uint to = y_skip + row * quads;
    for (uint i = 0u; i < quads; i++) {
        vec4 v = (input_load(x, at + i) - mean) * inverse;
        if (HAS_GAMMA != 0u) v *= input_load(gamma, i);
        if (HAS_BETA != 0u) v += input_load(beta, i);
        y[to + i] = quad_store(v);
    }
}
