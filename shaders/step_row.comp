// SPDX-License-Identifier: MIT
// y = table[counter], the counter held within the table. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Table { RAW table[]; };
layout(set = 0, binding = 1) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 2) writeonly buffer Y { RAW y[]; };

#include "step_row.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    y[i] = table[uint(clamp(counter[0], 0, last)) * quads + i];
}
