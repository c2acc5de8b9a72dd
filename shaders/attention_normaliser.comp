// SPDX-License-Identifier: MIT
// The logarithm of the sum of a query's exponentials, for each head. One invocation per quad
// of heads of a query, or per head.
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

vec4 own_q[HEAD_QUADS + 1u];

// Finds the sum beside the largest score so far.
void sum_head(uint item) {
    uint row = min(item, quads - 1u) / heads, h = item % heads, batch = row / queries;
    EACH_QUAD(c) own_q[c] = input_load(q, row * row_quads + h * HEAD_QUADS + c);
    float top = -3.0e38, sum = 0.0;
    for (uint j = 0u; j < keys_of(row % queries); j++) {
        uint key = (batch * keys + j) * row_quads + h * HEAD_QUADS;
        vec4 products = vec4(0.0);
        EACH_QUAD(c) products = fma(own_q[c], input_load(k, key + c), products);
        float score = sum4(products) * scale, higher = max(top, score);
        sum = sum * exp(top - higher) + exp(score - higher);
        top = higher;
    }
    if (item < quads) y[row * stat_quads + h / 4u][h % 4u] = top + log(sum);
}

void main() {
    if (HEAD_QUADS != 0u) {
        sum_head(item_index());
        return;
    }
    uint i = item_index();
    if (i >= quads) return;
    vec4 v = vec4(0.0);
    for (uint j = 0u; j < 4u; j++) {
        uint h = 4u * (i % stat_quads) + j;
        if (h < heads) v[j] = normaliser(i / stat_quads, h);
    }
    y[i] = v;
}
