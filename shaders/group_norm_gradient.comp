// SPDX-License-Identifier: MIT
// dx = dy a - n b - c, with a, b and c by batch and channel from group_norm_gradient_terms. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

INPUT(0, Dy, dy);
INPUT(1, X, x);
INPUT_F32(2, Terms, terms); // [batch][3][quad]
layout(set = 0, binding = 3) writeonly buffer Dx { QUAD dx[]; };

#include "group_norm_gradient.pc.h"

void compute_item(uint item) {
    uint i = min(item, rows * quads - 1u), row = divide(i, quads), quad = i - row * quads;
    uint at = divide(first_row + row, batch_rows) * 3u * quads + quad;
    vec4 a = input_load_f32(terms, at), b = input_load_f32(terms, at + quads);
    vec4 c = input_load_f32(terms, at + 2u * quads);
    vec4 v = input_load(dy, dy_skip + i) * a - input_load(x, x_skip + i) * b - c;
    if (item == i) dx[dx_skip + i] = quad_store(v);
}

EACH_ITEM(compute_item)
