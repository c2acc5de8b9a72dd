// SPDX-License-Identifier: MIT
// Repeats x along dimensions of size 1. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint SPLAT = 0; // x has one channel for all of y's

INPUT(0, X, x);
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "broadcast.pc.h"

void main() {
    uint i = item_index();
    bool inside = i < quads;
    i = min(i, quads - 1u);
    uint row = i / y_row_quads, c = i % y_row_quads;
    uint from = (row / d2 / d1 * stride[0] + row / d2 % d1 * stride[1] + row % d2 * stride[2]) * x_row_quads;
    vec4 v = SPLAT != 0u ? vec4(input_load(x, from).x) : input_load(x, from + c);
    if (inside) y[i] = quad_store(v);
}
