// SPDX-License-Identifier: MIT
// The logarithm of the sum of a query's exponentials, for each head. One invocation per quad of heads of a query.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_gradient.glsl"

layout(set = 0, binding = 2) writeonly buffer Y { vec4 y[]; };

float normaliser(uint row, uint h) {
    uint batch = row / queries, count = keys_of(row % queries);
    float top = dot_qk(row, batch * keys, h) * scale, sum = 0.0;
    for (uint j = 1u; j < count; j++) top = max(top, dot_qk(row, batch * keys + j, h) * scale);
    for (uint j = 0u; j < count; j++) sum += exp(dot_qk(row, batch * keys + j, h) * scale - top);
    return top + log(sum);
}

void main() {
    uint i = item_index();
    if (i >= quads) return;
    vec4 v = vec4(0.0);
    for (uint j = 0u; j < 4u; j++) {
        uint h = 4u * (i % stat_quads) + j;
        if (h < heads) v[j] = normaliser(i / stat_quads, h);
    }
    y[i] = v;
}
