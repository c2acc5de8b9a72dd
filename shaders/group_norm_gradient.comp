// SPDX-License-Identifier: MIT
// dx = dy a - x b - c, with a, b and c by batch and channel from group_norm_gradient_terms. If ACT, dy act'(x a + e)
// stands for dy, with e from there. One invocation per block of rows and quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"
#include "lib/act_derivative.glsl"

layout(constant_id = 3) const uint BLOCK = 8;
layout(constant_id = 4) const uint ACT = 0;
const uint TERMS = ACT != 0u ? 4u : 3u;

INPUT(0, Dy, dy);
INPUT(1, X, x);
INPUT_F32(2, Terms, terms); // [batch][TERMS][quad]
layout(set = 0, binding = 3) writeonly buffer Dx { QUAD dx[]; };

#include "group_norm_gradient.pc.h"

void main() {
    uint item = min(item_index(), batches * blocks * quads - 1u), part = divide(item, quads), q = item - part * quads;
    uint batch = divide(part, blocks), block = part - batch * blocks;
    uint at = (first_batch + batch) * TERMS * quads + q;
    vec4 a = input_load_f32(terms, at), b = input_load_f32(terms, at + quads);
    vec4 c = input_load_f32(terms, at + 2u * quads), e = vec4(0.0);
    if (ACT != 0u) e = input_load_f32(terms, at + 3u * quads);
    uint first = block * BLOCK, count = min(BLOCK, rows - first), i = (batch * rows + first) * quads + q;
    for (uint r = 0u; r < count; r++, i += quads) {
        vec4 d = input_load(dy, dy_skip + i), v = input_load(x, x_skip + i);
        if (ACT != 0u) d *= act_derivative(ACT, fma(v, a, e));
        v = d * a - v * b - c;
        if (item == item_index()) dx[dx_skip + i] = quad_store(v);
    }
}
