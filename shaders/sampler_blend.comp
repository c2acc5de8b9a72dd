// SPDX-License-Identifier: MIT
// Puts back what a mask keeps of a start image, at the noise level of this evaluation's result. The formula is in
// src/ops/sampler_blend.c. One invocation per quad of history[0].
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) buffer State { vec4 state[]; };
layout(set = 0, binding = 1) readonly buffer Mask { vec4 mask[]; };
layout(set = 0, binding = 2) readonly buffer Image { vec4 image[]; };
layout(set = 0, binding = 3) readonly buffer Noise { vec4 noise[]; };
layout(set = 0, binding = 4) readonly buffer Levels { float levels[]; };
layout(set = 0, binding = 5) readonly buffer Counter { int counter[]; };

#include "sampler_blend.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint row = uint(clamp(counter[0], 0, last)) * level_row;
    vec4 known = levels[row] * image[i] + levels[row + 1u] * noise[i];
    state[i] = mask[i] * state[i] + (1.0 - mask[i]) * known;
}
