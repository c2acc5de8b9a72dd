// SPDX-License-Identifier: MIT
// The number of the largest element of each row, the first of equal ones. One invocation per row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { int y[]; };

#include "row_index.pc.h"

void main() {
    uint row = item_index(), row_quads = (channels + 3u) / 4u;
    if (row >= rows) return;
    float top = quad_load(x[row * row_quads]).x;
    int best = 0;
    for (uint c = 0u; c < channels; c++) {
        float value = quad_load(x[row * row_quads + c / 4u])[c % 4u];
        if (value > top) {
            top = value;
            best = int(c);
        }
    }
    y[row / y_channels * ((y_channels + 3u) / 4u * 4u) + row % y_channels] = best;
}
