// SPDX-License-Identifier: MIT
// The gradient of geglu by its two halves: dy gelu(gate), and dy value gelu'(gate). One invocation per quad of dy.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"
#include "lib/act_derivative.glsl"

INPUT(0, X, x);
INPUT(1, Dy, dy);
layout(set = 0, binding = 2) writeonly buffer Dx { QUAD dx[]; };

#include "geglu_gradient.pc.h"

void compute_item(uint item) {
    uint i = min(item, quads - 1u), at = i + divide(i, row_quads) * row_quads;
    vec4 value = input_load(x, x_skip + at), gate = input_load(x, x_skip + at + row_quads), d = input_load(dy, dy_skip + i);
    vec4 dvalue = d * act_apply(ACT_GELU, gate), dgate = d * value * act_derivative(ACT_GELU, gate);
    if (item == i) {
        dx[dx_skip + at] = quad_store(dvalue);
        dx[dx_skip + at + row_quads] = quad_store(dgate);
    }
}

EACH_ITEM(compute_item)
