// SPDX-License-Identifier: MIT
// y = (x - mean) / sqrt(variance + eps) scale + shift. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint HAS_SCALE = 0;
layout(constant_id = 4) const uint HAS_SHIFT = 0;

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Stats { vec4 stats[]; }; // mean, variance
layout(set = 0, binding = 2) readonly buffer Scale { QUAD scale[]; };
layout(set = 0, binding = 3) readonly buffer Shift { QUAD shift[]; };
layout(set = 0, binding = 4) writeonly buffer Y { QUAD y[]; };

#include "batch_norm.pc.h"

void compute_item(uint i) {
    uint c = i % row_quads;
    if (i >= quads) return;
    vec4 n = (quad_load(x[x_skip + i]) - stats[c]) / sqrt(stats[row_quads + c] + eps);
    if (HAS_SCALE != 0u) n *= quad_load(scale[c]);
    if (HAS_SHIFT != 0u) n += quad_load(shift[c]);
    y[y_skip + i] = quad_store(n);
}

EACH_ITEM(compute_item)
