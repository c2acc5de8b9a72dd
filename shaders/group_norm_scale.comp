// SPDX-License-Identifier: MIT
// Computes the second step of group norm. Merges the chunks and channels of a group, m2 = sum of m2_i + n_i (mean_i -
// mean)^2 (Chan, Golub and LeVeque, "Updating formulae", 1979). Writes per channel the scale a = gamma / sqrt(var +
// eps) and the shift b = beta - mean a. One invocation per batch and group.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Stats { float stats[]; };
layout(set = 0, binding = 1) readonly buffer Gamma { QUAD gamma[]; };
layout(set = 0, binding = 2) readonly buffer Beta { QUAD beta[]; };
layout(set = 0, binding = 3) writeonly buffer Factors { float factors[]; }; // [batch][a, b][channel]

#include "group_norm_scale.pc.h"

void main() {
    uint item = item_index();
    uint group = item % groups, batch = item / groups;
    if (batch >= batches) return;
    uint first = batch * chunks * 8u * quads + group * group_channels;
    // Sums of differences from one of the means are small numbers, whose rounding does not matter.
    float origin = stats[first], sum = 0.0, n = float(rows) * float(group_channels);
    for (uint chunk = 0u; chunk < chunks; chunk++) {
        float part = 0.0;
        for (uint c = 0u; c < group_channels; c++) part += stats[first + chunk * 8u * quads + c] - origin;
        sum = fma(part, float(min(chunk_rows, rows - chunk * chunk_rows)), sum);
    }
    float shift = sum / n, m2 = 0.0, mean = origin + shift;
    for (uint chunk = 0u; chunk < chunks; chunk++) {
        float squares = 0.0, within = 0.0;
        uint at = first + chunk * 8u * quads;
        for (uint c = 0u; c < group_channels; c++) {
            float delta = stats[at + c] - origin - shift;
            squares = fma(delta, delta, squares);
            within += stats[at + 4u * quads + c];
        }
        m2 += fma(squares, float(min(chunk_rows, rows - chunk * chunk_rows)), within);
    }
    float inverse = inversesqrt(m2 / n + eps);
    uint to = batch * 8u * quads + group * group_channels;
    for (uint c = 0u; c < group_channels; c++) {
        uint channel = group * group_channels + c;
        float a = inverse * quad_load(gamma[channel / 4u])[channel % 4u];
        factors[to + c] = a;
        factors[to + 4u * quads + c] = fma(-mean, a, quad_load(beta[channel / 4u])[channel % 4u]);
    }
}
