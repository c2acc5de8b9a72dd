// SPDX-License-Identifier: MIT
// What a batch and channel of group_norm_gradient take: gamma / deviation, mean(gamma dy n) / deviation and
// mean(gamma dy) / deviation, with means over the group. If ACT, beta - gamma mean / deviation follows. One invocation per batch and quad of channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint ACT = 0;
const uint TERMS = ACT != 0u ? 4u : 3u;

INPUT_F32(0, Sums, sums);       // [batch][dy, dy n][quad]
INPUT(1, Gamma, gamma);
INPUT_F32(2, Factors, factors); // [batch][1 / deviation, -mean / deviation][quad]
INPUT(3, Beta, beta);
layout(set = 0, binding = 4) writeonly buffer Terms { vec4 terms[]; }; // [batch][TERMS][quad]

#include "group_norm_gradient.pc.h"

void main() {
    uint item = min(item_index(), batches * quads - 1u), batch = divide(item, quads), quad = item - batch * quads;
    uint from = 2u * batch * quads;
    vec4 dy_mean = vec4(0.0), product_mean = vec4(0.0);
    for (uint j = 0u; j < 4u; j++) {
        uint group = divide(min(4u * quad + j, channels - 1u), group_channels);
        for (uint c = group * group_channels; c < (group + 1u) * group_channels; c++) {
            float weight = input_load(gamma, c / 4u)[c % 4u];
            dy_mean[j] += weight * input_load_f32(sums, from + c / 4u)[c % 4u];
            product_mean[j] += weight * input_load_f32(sums, from + quads + c / 4u)[c % 4u];
        }
    }
    vec4 inverse = input_load_f32(factors, from + quad), shift = input_load_f32(factors, from + quads + quad);
    vec4 weights = input_load(gamma, quad), scale = inverse_count * inverse, bias = vec4(0.0);
    if (ACT != 0u) bias = input_load(beta, quad);
    if (item != item_index()) return;
    uint to = TERMS * batch * quads + quad;
    terms[to] = weights * inverse;
    terms[to + quads] = product_mean * scale * inverse;
    terms[to + 2u * quads] = (dy_mean + product_mean * shift) * scale;
    if (ACT != 0u) terms[to + 3u * quads] = fma(weights, shift, bias);
}
