// SPDX-License-Identifier: MIT
// Copies the elements of x in order into rows of another length, which zeros pad. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { RAW x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { RAW y[]; };

#include "repack.pc.h"

void compute_item(uint i) {
    if (i >= quads) return;
    uint x_row = (x_channels + 3u) / 4u, y_row = (y_channels + 3u) / 4u;
    uint row = i / y_row, c = i % y_row * 4u;
    uvec4 e = uvec4(0u);
    for (uint k = 0u; k < 4u && c + k < y_channels; k++) {
        uint at = row * y_channels + c + k, s = at % x_channels;
        e[k] = raw_get(x[x_skip + at / x_channels * x_row + s / 4u], s % 4u);
    }
    y[y_skip + i] = raw_make(e);
}

EACH_ITEM(compute_item)
