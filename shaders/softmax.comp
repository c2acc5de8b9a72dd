// SPDX-License-Identifier: MIT
// y = exp(x - max) / sum exp(x - max) over each row; one invocation per row. The maximum starts at a large finite
// number, so that no infinity is subtracted from another.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

const float LOWEST = -3.4e38;

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "rowwise.pc.h"

void main() {
    uint row = item_index(), quads = (channels + 3u) / 4u;
    if (row >= rows) return;
    uint at = x_skip + row * quads, to = y_skip + row * quads;
    uint whole = channels / 4u; // quads without padding
    vec4 tops = vec4(LOWEST);
    for (uint i = 0u; i < whole; i++) tops = max(tops, quad_load(x[at + i]));
    if (channels % 4u != 0u) tops = max(tops, quad_mask(quad_load(x[at + whole]), whole, channels, LOWEST));
    float top = max(max(tops.x, tops.y), max(tops.z, tops.w));

    vec4 sums = vec4(0.0);
    for (uint i = 0u; i < whole; i++) sums += exp(quad_load(x[at + i]) - top);
    if (channels % 4u != 0u) sums += quad_mask(exp(quad_load(x[at + whole]) - top), whole, channels, 0.0);
    float inverse = 1.0 / (sums.x + sums.y + sums.z + sums.w);
    for (uint i = 0u; i < quads; i++) y[to + i] = quad_store(exp(quad_load(x[at + i]) - top) * inverse);
}
