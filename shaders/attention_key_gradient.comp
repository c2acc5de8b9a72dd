// SPDX-License-Identifier: MIT
// dk and dv of a key: the sums over queries of scale p (dout v - delta) q and of p dout. One invocation per quad of
// channels, or per head of a key. All dk come first, then all dv.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_gradient.glsl"

INPUT(2, V, v);
INPUT(3, Dout, dout);
INPUT_F32(4, Normaliser, normaliser);
INPUT_F32(5, Delta, delta);
layout(set = 0, binding = 6) writeonly buffer Dkv { QUAD dkv[]; };

HEAD_DOT(dot_dv, dout, v)

// Sums the quads of channels of dk and dv as head h has them.
void sum_queries(uint key, uint quad, uint h, out vec4 dk, out vec4 dv) {
    uint batch = key / keys;
    dk = dv = vec4(0.0);
    for (uint i = first_query_of(key % keys); i < queries; i++) {
        uint row = batch * queries + i, at = row * stat_quads + h / 4u;
        float p = exp(dot_qk(row, key, h) * scale - input_load_f32(normaliser, at)[h % 4u]);
        float ds = p * (dot_dv(row, key, h) - input_load_f32(delta, at)[h % 4u]) * scale;
        dk = fma(vec4(ds), input_load(q, row * row_quads + quad), dk);
        dv = fma(vec4(p), input_load(dout, row * row_quads + quad), dv);
    }
}

vec4 own_k[HEAD_QUADS + 1u], own_v[HEAD_QUADS + 1u], query_quad[HEAD_QUADS + 1u], dout_quad[HEAD_QUADS + 1u];
vec4 k_sums[HEAD_QUADS + 1u], v_sums[HEAD_QUADS + 1u];

void sum_head(uint item) {
    uint key = min(item, quads - 1u) / heads, h = item % heads, batch = key / keys;
    uint from = key * row_quads + h * HEAD_QUADS;
    EACH_QUAD(c) {
        own_k[c] = input_load(k, from + c);
        own_v[c] = input_load(v, from + c);
        k_sums[c] = v_sums[c] = vec4(0.0);
    }
    for (uint i = first_query_of(key % keys); i < queries; i++) {
        uint row = batch * queries + i, at = row * stat_quads + h / 4u, query = row * row_quads + h * HEAD_QUADS;
        vec4 score = vec4(0.0), slope = vec4(0.0);
        EACH_QUAD(c) {
            query_quad[c] = input_load(q, query + c);
            dout_quad[c] = input_load(dout, query + c);
            score = fma(query_quad[c], own_k[c], score);
            slope = fma(dout_quad[c], own_v[c], slope);
        }
        float p = exp(sum4(score) * scale - input_load_f32(normaliser, at)[h % 4u]);
        float ds = p * (sum4(slope) - input_load_f32(delta, at)[h % 4u]) * scale;
        EACH_QUAD(c) {
            k_sums[c] = fma(vec4(ds), query_quad[c], k_sums[c]);
            v_sums[c] = fma(vec4(p), dout_quad[c], v_sums[c]);
        }
    }
    EACH_QUAD(c) {
        if (item < quads) dkv[from + c] = quad_store(k_sums[c]);
        if (item < quads) dkv[key_values + from + c] = quad_store(v_sums[c]);
    }
}

void main() {
    if (HEAD_QUADS != 0u) {
        sum_head(item_index());
        return;
    }
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
