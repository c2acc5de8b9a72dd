// SPDX-License-Identifier: MIT
// y[n] = table[ids[n]], ids outside the table moved to its nearest row. One invocation per quad of y. A table over the
// binding size comes in windows of rows; each run writes the rows whose id lies in its window.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Ids { int ids[]; };
layout(set = 0, binding = 1) readonly buffer Table { RAW table[]; };
layout(set = 0, binding = 2) writeonly buffer Y { RAW y[]; };

#include "embedding.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint n = i / row_quads;
    int row = clamp(ids[n / tokens * ids_row + n % tokens], 0, last) - first;
    if (row < 0 || row >= count) return;
    y[i] = table[skip + uint(row) * row_quads + i % row_quads];
}
