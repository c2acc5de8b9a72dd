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

void main() {
    uint i = item_index();
    bool inside = i < quads;
    i = min(i, quads - 1u);
    uint at = i / row_quads * 2u * row_quads + i % row_quads;
    vec4 value = input_load(x, x_skip + at), gate = input_load(x, x_skip + at + row_quads), d = input_load(dy, dy_skip + i);
    vec4 dvalue = d * act_apply(ACT_GELU, gate), dgate = d * value * act_derivative(ACT_GELU, gate);
    if (inside) {
        dx[dx_skip + at] = quad_store(dvalue);
        dx[dx_skip + at + row_quads] = quad_store(dgate);
    }
}
