// SPDX-License-Identifier: MIT
// dq of a query: scale times the sum over keys of p (dout v - delta) k. One invocation per quad of channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_gradient.glsl"

layout(set = 0, binding = 2) readonly buffer V { QUAD v[]; };
layout(set = 0, binding = 3) readonly buffer Dout { QUAD dout[]; };
layout(set = 0, binding = 4) readonly buffer Normaliser { vec4 normaliser[]; };
layout(set = 0, binding = 5) readonly buffer Delta { vec4 delta[]; };
layout(set = 0, binding = 6) writeonly buffer Dq { QUAD dq[]; };

HEAD_DOT(dot_dv, dout, v)

// Returns the quad of channels as head h has it.
vec4 sum_keys(uint row, uint quad, uint h) {
    uint batch = row / queries, at = row * stat_quads + h / 4u;
    float less = normaliser[at][h % 4u], along = delta[at][h % 4u];
    vec4 sum = vec4(0.0);
    for (uint j = 0u; j < keys_of(row % queries); j++) {
        uint key = batch * keys + j;
        float p = exp(dot_qk(row, key, h) * scale - less);
        sum = fma(vec4(p * (dot_dv(row, key, h) - along)), quad_load(k[key * row_quads + quad]), sum);
    }
    return sum * scale;
}

void main() {
    uint i = item_index(), row = i / row_quads, quad = i % row_quads;
    if (i >= quads) return;
    vec4 sum = sum_keys(row, quad, min(4u * quad / head, heads - 1u));
    if (WHOLE == 0u)
        for (uint j = 1u; j < 4u; j++) sum[j] = sum_keys(row, quad, min((4u * quad + j) / head, heads - 1u))[j];
    dq[i] = quad_store(sum);
}
