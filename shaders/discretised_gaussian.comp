// SPDX-License-Identifier: MIT
// -log of the probability that a normal distribution gives the bin of each element. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/discretised_gaussian.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Mean { QUAD mean[]; };
layout(set = 0, binding = 2) readonly buffer LogScale { QUAD log_scale[]; };
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "flat.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    vec4 a = quad_load(x[i]), m = quad_load(mean[i]), s = quad_load(log_scale[i]), loss;
    for (uint k = 0u; k < 4u; k++)
        loss[k] = -log_exact(max(bin_of(a[k], m[k], s[k]).probability, LEAST_PROBABILITY));
    y[i] = quad_store(loss);
}
