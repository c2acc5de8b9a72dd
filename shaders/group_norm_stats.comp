// SPDX-License-Identifier: MIT
// Computes the first step of group norm: mean and sum of squared differences of each channel over each chunk of rows.
// Welford's recurrence keeps its digits however large the mean is. One invocation per chunk and quad of channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

INPUT(0, X, x);
layout(set = 0, binding = 1) writeonly buffer Stats { vec4 stats[]; }; // [chunk][mean, m2][quad]

#include "group_norm_stats.pc.h"

void main() {
    uint item = min(item_index(), batches * chunks * quads - 1u), part = divide(item, quads), q = item - part * quads;
    uint batch = divide(part, chunks), chunk = part - batch * chunks;
    uint first = chunk * chunk_rows, count = min(chunk_rows, last_row - first_chunk * chunk_rows - first);
    uint at = x_skip + (batch * rows + first) * quads + q;

    vec4 mean = vec4(0.0), m2 = vec4(0.0);
    for (uint i = 0u; i < count; i++) {
        vec4 v = input_load(x, at + i * quads);
        vec4 delta = v - mean;
        mean = fma(delta, vec4(1.0 / float(i + 1u)), mean);
        m2 = fma(delta, v - mean, m2);
    }
    if (item != item_index()) return;
    uint to = ((first_batch + batch) * batch_chunks + first_chunk + chunk) * 2u * quads + q;
    stats[to] = mean;
    stats[to + quads] = m2;
}
