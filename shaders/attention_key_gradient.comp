// SPDX-License-Identifier: MIT
// dk and dv of a key: the sums over queries of scale p (dout v - delta) q and of p dout. One invocation per quad of
// channels; all dk come first, then all dv.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_gradient.glsl"

layout(set = 0, binding = 2) readonly buffer V { QUAD v[]; };
layout(set = 0, binding = 3) readonly buffer Dout { QUAD dout[]; };
layout(set = 0, binding = 4) readonly buffer Normaliser { vec4 normaliser[]; };
layout(set = 0, binding = 5) readonly buffer Delta { vec4 delta[]; };
layout(set = 0, binding = 6) writeonly buffer Dkv { QUAD dkv[]; };

HEAD_DOT(dot_dv, dout, v)

// Sums the quads of channels of dk and dv as head h has them.
void sum_queries(uint key, uint quad, uint h, out vec4 dk, out vec4 dv) {
    uint batch = key / keys;
    dk = dv = vec4(0.0);
    for (uint i = first_query_of(key % keys); i < queries; i++) {
        uint row = batch * queries + i, at = row * stat_quads + h / 4u;
        float p = exp(dot_qk(row, key, h) * scale - normaliser[at][h % 4u]);
        float ds = p * (dot_dv(row, key, h) - delta[at][h % 4u]) * scale;
        dk = fma(vec4(ds), quad_load(q[row * row_quads + quad]), dk);
        dv = fma(vec4(p), quad_load(dout[row * row_quads + quad]), dv);
    }
}

void main() {
    uint i = item_index(), key = i / row_quads, quad = i % row_quads;
    if (i >= key_values) return;
    vec4 dk, dv, other_k, other_v;
    sum_queries(key, quad, min(4u * quad / head, heads - 1u), dk, dv);
    if (WHOLE == 0u)
        for (uint j = 1u; j < 4u; j++) {
            sum_queries(key, quad, min((4u * quad + j) / head, heads - 1u), other_k, other_v);
            dk[j] = other_k[j];
            dv[j] = other_v[j];
        }
    dkv[i] = quad_store(dk);
    dkv[key_values + i] = quad_store(dv);
}
