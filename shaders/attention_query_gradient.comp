// SPDX-License-Identifier: MIT
// dq of a query: scale times the sum over keys of p (dout v - delta) k. One invocation per quad of channels, or
// per head of a query.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_gradient.glsl"

INPUT(2, V, v);
INPUT(3, Dout, dout);
INPUT_F32(4, Normaliser, normaliser);
INPUT_F32(5, Delta, delta);
layout(set = 0, binding = 6) writeonly buffer Dq { QUAD dq[]; };

HEAD_DOT(dot_dv, dout, v)

// Returns the quad of channels as head h has it.
vec4 sum_keys(uint row, uint quad, uint h) {
    uint batch = row / queries, at = row * stat_quads + h / 4u;
    float less = input_load_f32(normaliser, at)[h % 4u], along = input_load_f32(delta, at)[h % 4u];
    vec4 sum = vec4(0.0);
    for (uint j = 0u; j < keys_of(row % queries); j++) {
        uint key = batch * keys + j;
        float p = exp(dot_qk(row, key, h) * scale - less);
        sum = fma(vec4(p * (dot_dv(row, key, h) - along)), input_load(k, key * row_quads + quad), sum);
    }
    return sum * scale;
}

vec4 own_q[HEAD_QUADS + 1u], own_dout[HEAD_QUADS + 1u], key_quad[HEAD_QUADS + 1u], sums[HEAD_QUADS + 1u];

void sum_head(uint item) {
    uint row = min(item, quads - 1u) / heads, h = item % heads, batch = row / queries, from = row * row_quads + h * HEAD_QUADS;
    uint at = row * stat_quads + h / 4u;
    float less = input_load_f32(normaliser, at)[h % 4u], along = input_load_f32(delta, at)[h % 4u];
    EACH_QUAD(c) {
        own_q[c] = input_load(q, from + c);
        own_dout[c] = input_load(dout, from + c);
        sums[c] = vec4(0.0);
    }
    for (uint j = 0u; j < keys_of(row % queries); j++) {
        uint key = (batch * keys + j) * row_quads + h * HEAD_QUADS;
        vec4 score = vec4(0.0), slope = vec4(0.0);
        EACH_QUAD(c) {
            key_quad[c] = input_load(k, key + c);
            score = fma(own_q[c], key_quad[c], score);
            slope = fma(own_dout[c], input_load(v, key + c), slope);
        }
        vec4 ds = vec4(exp(sum4(score) * scale - less) * (sum4(slope) - along));
        EACH_QUAD(c) sums[c] = fma(ds, key_quad[c], sums[c]);
    }
    EACH_QUAD(c) if (item < quads) dq[from + c] = quad_store(sums[c] * scale);
}

void main() {
    if (HEAD_QUADS != 0u) {
        sum_head(item_index());
        return;
    }
    uint i = item_index(), row = i / row_quads, quad = i % row_quads;
    if (i >= quads) return;
    vec4 sum = sum_keys(row, quad, min(4u * quad / head, heads - 1u));
    if (WHOLE == 0u)
        for (uint j = 1u; j < 4u; j++) sum[j] = sum_keys(row, quad, min((4u * quad + j) / head, heads - 1u))[j];
    dq[i] = quad_store(sum);
}
