// SPDX-License-Identifier: MIT
// Computes the mean and sum of squared differences of each channel over chunks of a range of rows. Welford's recurrence
// keeps its digits however large the mean is. One invocation per chunk and quad of channels. A chunk without rows gives
// zeros.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Range { int range[]; };  // first row, how many
layout(set = 0, binding = 2) writeonly buffer Stats { vec4 stats[]; }; // [chunk][mean, m2][quad]

#include "channel_stats.pc.h"

void main() {
    uint item = item_index();
    uint q = item % quads, chunk = item / quads;
    if (chunk >= chunks) return;
    // Nothing outside x is read, whatever the range is.
    uint begin = min(uint(max(range[0], 0)), rows), total = min(uint(max(range[1], 0)), rows - begin);
    uint each = (total + chunks - 1u) / chunks, first = min(chunk * each, total), count = min(each, total - first);
    uint at = (begin + first) * quads + q;
    vec4 mean = vec4(0.0), m2 = vec4(0.0);
    for (uint i = 0u; i < count; i++) {
        vec4 v = quad_load(x[at + i * quads]);
        vec4 delta = v - mean;
        mean = fma(delta, vec4(1.0 / float(i + 1u)), mean);
        m2 = fma(delta, v - mean, m2);
    }
    stats[chunk * 2u * quads + q] = mean;
    stats[chunk * 2u * quads + quads + q] = m2;
}
