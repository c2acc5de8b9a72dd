// SPDX-License-Identifier: MIT
// Scales the current point for the model: history[0] times c_in of this evaluation, once per guidance branch. One
// invocation per quad of one copy.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "base/sampler_row.h"

layout(constant_id = 3) const uint COPIES = 1;

layout(set = 0, binding = 0) readonly buffer State { vec4 state[]; };
layout(set = 0, binding = 1) readonly buffer Coefs { float coefs[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "sampler_input.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    float c_in = coefs[uint(clamp(counter[0], 0, last)) * coef_row + FUM_COEF_INPUT];
    vec4 v = c_in * state[i];
    for (uint k = 0u; k < COPIES; k++) y[k * quads + i] = quad_store(v);
}
