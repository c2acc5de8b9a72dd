// SPDX-License-Identifier: MIT
// y = a op b with NumPy broadcasting. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"

#define OP_ADD 0
#define OP_MUL 1
#define OP_SUB 2
#define OP_PRELU 3
#define OP_SQUARED_ERROR 4
#define OP_BINARY_CROSS_ENTROPY 5
#define OP_MASKED_MUL 6

layout(constant_id = 3) const uint OP = 0;
layout(constant_id = 4) const uint FLAT = 0;    // a, b and y have one shape: quad i of each
layout(constant_id = 5) const uint SPLAT_A = 0; // a has one channel for all of y's
layout(constant_id = 6) const uint SPLAT_B = 0;

INPUT(0, A, a);
INPUT(1, B, b);
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "binary.pc.h"

vec4 apply(vec4 p, vec4 q) {
    if (OP == OP_ADD) return p + q;
    if (OP == OP_MUL) return p * q;
    if (OP == OP_SUB) return p - q;
    if (OP == OP_MASKED_MUL) return mix(p * q, vec4(0.0), equal(q, vec4(0.0)));
    if (OP == OP_SQUARED_ERROR) return (p - q) * (p - q);
    if (OP == OP_BINARY_CROSS_ENTROPY) return max(p, 0.0) - p * q + log1p_unit4(exp4(-abs(p)));
    return mix(p * q, p, greaterThan(p, vec4(0.0)));
}

void compute_item(uint item) {
    uint i = min(item, quads - 1u);
    if (FLAT != 0u) {
        vec4 v = apply(input_load(a, i), input_load(b, i));
        if (item == i) y[i] = quad_store(v);
        return;
    }
    uint in_y = divide(i, row_quads), row = first_row + in_y, c = i - in_y * row_quads;
    uint line = divide(row, d2), w = row - line * d2, n = divide(line, d1), h = line - n * d1;
    uint row_a = a_base + a_row_quads * (n * a_stride[0] + h * a_stride[1] + w * a_stride[2]);
    uint row_b = b_base + b_row_quads * (n * b_stride[0] + h * b_stride[1] + w * b_stride[2]);
    vec4 p = SPLAT_A != 0u ? vec4(input_load(a, row_a).x) : input_load(a, row_a + c);
    vec4 q = SPLAT_B != 0u ? vec4(input_load(b, row_b).x) : input_load(b, row_b + c);
    vec4 v = apply(p, q);
    if (item == i) y[y_skip + i] = quad_store(v);
}

EACH_ITEM(compute_item)
