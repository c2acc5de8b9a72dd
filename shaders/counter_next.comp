// SPDX-License-Identifier: MIT
// counter[AT] += BY, by one invocation, unless a factor is 0.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(constant_id = 3) const uint AT = 0;
layout(constant_id = 4) const int BY = 1;
layout(constant_id = 5) const uint STAYS = 0; // where the factor is 0

layout(set = 0, binding = 0) buffer Counter { int counter[]; };
layout(set = 0, binding = 1) readonly buffer Factor { float factor[]; };

void main() {
    if (item_index() != 0u) return;
    if (STAYS != 0u && factor[0] == 0.0) return;
    counter[AT] += BY;
}
