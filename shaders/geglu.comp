// SPDX-License-Identifier: MIT
// y[c] = x[c] gelu(x[C + c]). One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"

layout(constant_id = 3) const uint C = 4; // channels of y

INPUT(0, X, x);
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "geglu.pc.h"

void compute_item(uint item) {
    uint i = min(item, quads - 1u);
    uint row_quads = (C + 3u) / 4u, in_y = divide(i, row_quads), c = i - in_y * row_quads;
    uint row = x_skip + in_y * x_row_quads;
    vec4 gate;
    if (C % 4u == 0u) gate = input_load(x, row + row_quads + c);
    else {
        // The gate starts within a quad: its four elements lie in two, the second perhaps past the row's end.
        uint first = C + 4u * c;
        vec4 low = input_load(x, row + first / 4u);
        vec4 high = input_load(x, row + min(first / 4u + 1u, x_row_quads - 1u));
        for (uint k = 0u; k < 4u; k++) {
            uint at = first % 4u + k;
            gate[k] = at < 4u ? low[at] : high[at - 4u];
        }
    }
    vec4 v = input_load(x, row + c) * act_apply(ACT_GELU, gate);
    if (item == i) y[y_skip + i] = quad_store(v);
}

EACH_ITEM(compute_item)
