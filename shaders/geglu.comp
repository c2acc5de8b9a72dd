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

void main() {
    uint i = item_index();
    bool inside = i < quads;
    i = min(i, quads - 1u);
    uint row_quads = (C + 3u) / 4u, row = x_skip + i / row_quads * x_row_quads, c = i % row_quads;
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
    if (inside) y[y_skip + i] = quad_store(v);
}
