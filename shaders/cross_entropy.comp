// SPDX-License-Identifier: MIT
// y = log(sum of e^x) - x[label] of each row of x. One invocation per quad of labels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Label { int label[]; };
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "cross_entropy.pc.h"
#include "lib/cross_entropy.glsl"

void main() {
    uint i = item_index(), label_quads = (labels + 3u) / 4u, first = i % label_quads * 4u;
    if (i >= items) return;
    vec4 loss = vec4(0.0);
    for (uint k = 0u; k < 4u && first + k < labels; k++) {
        uint row = i / label_quads * labels + first + k, target = uint(clamp(label[4u * i + k], 0, int(classes) - 1));
        float top = row_top(row), target_x = quad_load(x[row * class_quads() + target / 4u])[target % 4u];
        loss[k] = log_any(row_sum(row, top)) + (top - target_x);
    }
    y[i] = quad_store(loss);
}
