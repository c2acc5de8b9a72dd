// SPDX-License-Identifier: MIT
// counter += 1, by one invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) buffer Counter { int counter[]; };

void main() {
    if (item_index() == 0u) counter[0]++;
}
