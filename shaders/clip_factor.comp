// SPDX-License-Identifier: MIT
// The factor of a step's gradients from the sum of their squares, by one invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(constant_id = 3) const uint HAS_SCALE = 0;

layout(set = 0, binding = 0) readonly buffer Squares { float squares[]; };
layout(set = 0, binding = 1) readonly buffer Scale { float scale[]; };
layout(set = 0, binding = 2) writeonly buffer Y { float y[]; };

#include "clip_factor.pc.h"

void main() {
    if (item_index() != 0u) return;
    float by = HAS_SCALE != 0u ? scale[0] : 1.0, norm = sqrt(squares[0]) / by;
    float factor = clip > 0.0 ? min(1.0, clip / (norm + 1e-6)) : 1.0;
    // Tests the bits, since a compiler that assumes finite numbers drops isnan and isinf.
    bool finite = (floatBitsToUint(squares[0]) & 0x7f800000u) != 0x7f800000u;
    y[0] = finite ? factor / by : 0.0;
}
