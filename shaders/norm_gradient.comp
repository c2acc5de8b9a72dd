// SPDX-License-Identifier: MIT
// dx = (dy - mean(dy) - n mean(dy n)) / deviation over each row, where n is the row x normalised. One invocation per
// row. Without CENTRED, as in RMS norm, no mean is taken off x or dy.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint CENTRED = 1;

INPUT(0, X, x);
INPUT(1, Dy, dy);
layout(set = 0, binding = 2) writeonly buffer Dx { QUAD dx[]; };

#include "norm_gradient.pc.h"

float sum4(vec4 v) { return v.x + v.y + v.z + v.w; }

void main() {
    uint row = item_index(), quads = (channels + 3u) / 4u;
    if (row >= rows) return;
    uint from = x_skip + row * quads, given = dy_skip + row * quads, to = dx_skip + row * quads;
    vec4 sum = vec4(0.0), dy_sum = vec4(0.0);
    for (uint i = 0u; i < quads; i++) {
        sum += quad_mask(input_load(x, from + i), i, channels, 0.0);
        dy_sum += quad_mask(input_load(dy, given + i), i, channels, 0.0);
    }
    float mean = CENTRED != 0u ? sum4(sum) / float(channels) : 0.0;
    float dy_mean = CENTRED != 0u ? sum4(dy_sum) / float(channels) : 0.0;
    vec4 squares = vec4(0.0), products = vec4(0.0);
    for (uint i = 0u; i < quads; i++) {
        vec4 v = quad_mask(input_load(x, from + i) - mean, i, channels, 0.0);
        squares = fma(v, v, squares);
        products = fma(v, quad_mask(input_load(dy, given + i), i, channels, 0.0), products);
    }
    float inverse = inversesqrt(sum4(squares) / float(channels) + eps);
    float along = sum4(products) / float(channels) * inverse * inverse;
    for (uint i = 0u; i < quads; i++) {
        vec4 v = input_load(x, from + i) - mean;
        dx[to + i] = quad_store((input_load(dy, given + i) - dy_mean - v * along) * inverse);
    }
}
