// SPDX-License-Identifier: MIT
// Third step of group norm: y = act(a x + b). One invocation per quad of channels and block of BLOCK rows, whose a and
// b it loads once.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"

layout(constant_id = 3) const uint BLOCK = 8;
layout(constant_id = 4) const uint ACT = 0;

INPUT(0, X, x);
INPUT_F32(1, Factors, factors); // [batch][a, b][quad]
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "group_norm_apply.pc.h"

void main() {
    uint item = min(item_index(), batches * blocks * quads - 1u), part = divide(item, quads), q = item - part * quads;
    uint batch = divide(part, blocks), block = part - batch * blocks;
    uint at = (first_batch + batch) * 2u * quads + q;
    vec4 a = input_load_f32(factors, at), b = input_load_f32(factors, at + quads);
    uint first = block * BLOCK, count = min(BLOCK, rows - first);
    uint i = (batch * rows + first) * quads + q;
    for (uint r = 0u; r < count; r++, i += quads) {
        vec4 v = act_apply(ACT, fma(input_load(x, x_skip + i), a, b));
        if (item == item_index()) y[y_skip + i] = quad_store(v);
    }
}
