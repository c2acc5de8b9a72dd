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

void compute_item(uint item) {
    uint i = min(item, quads - 1u);
    uint row = divide(i, y_row_quads), c = i - row * y_row_quads, line = divide(row, d2), n = divide(line, d1);
    uint from = (n * stride[0] + (line - n * d1) * stride[1] + (row - line * d2) * stride[2]) * x_row_quads;
    vec4 v = SPLAT != 0u ? vec4(input_load(x, from).x) : input_load(x, from + c);
    if (item == i) y[i] = quad_store(v);
}

EACH_ITEM(compute_item)
