// SPDX-License-Identifier: MIT
// average = decay average + rest x, unless a factor is 0. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(constant_id = 3) const uint SKIPS = 0; // where the factor is 0

layout(set = 0, binding = 0) buffer Average { vec4 average[]; };
layout(set = 0, binding = 1) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 2) readonly buffer Factor { float factor[]; };

#include "ema_update.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    if (SKIPS != 0u && factor[0] == 0.0) return;
    average[i] = decay * average[i] + rest * x[i];
}
