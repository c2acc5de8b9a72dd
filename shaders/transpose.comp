// SPDX-License-Identifier: MIT
// y = x with its dimensions in another order. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint INNER = 0; // the innermost dimension stays: whole quads move

layout(set = 0, binding = 0) readonly buffer X { RAW x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { RAW y[]; };

#include "transpose.pc.h"

void compute_item(uint i) {
    if (i >= quads) return;
    uint row = i / row_quads, c = i % row_quads * 4u;
    uint from = row / d2 / d1 * stride[0] + row / d2 % d1 * stride[1] + row % d2 * stride[2];
    if (INNER != 0u) {
        y[i] = x[(from + c) / 4u];
        return;
    }
    uvec4 e = uvec4(0u);
    for (uint k = 0u; k < 4u && c + k < channels; k++) {
        uint at = from + (c + k) * stride[3];
        e[k] = raw_get(x[at / 4u], at % 4u);
    }
    y[i] = raw_make(e);
}

EACH_ITEM(compute_item)
