// SPDX-License-Identifier: MIT
// dx = (softmax(x) - 1 at the label) dy of each row of x. One invocation per row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Label { int label[]; };
layout(set = 0, binding = 2) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 3) writeonly buffer Dx { QUAD dx[]; };

#include "cross_entropy.pc.h"
#include "lib/cross_entropy.glsl"

void main() {
    uint row = item_index(), label_quads = (labels + 3u) / 4u;
    if (row >= items) return;
    uint at = row / labels * label_quads * 4u + row % labels, target = uint(clamp(label[at], 0, int(classes) - 1));
    float top = row_top(row), sum = row_sum(row, top), slope = quad_load(dy[at / 4u])[at % 4u];
    for (uint c = 0u; c < class_quads(); c++) {
        vec4 p = exp4(quad_load(x[row * class_quads() + c]) - top) / sum;
        if (c == target / 4u) p[target % 4u] -= 1.0;
        dx[row * class_quads() + c] = quad_store(p * slope);
    }
}
