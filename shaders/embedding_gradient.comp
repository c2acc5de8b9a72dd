// SPDX-License-Identifier: MIT
// dtable[row] = the sum of dy[n] over the ids n that took the row. One invocation per quad, which adds in the order of
// the ids: no atomics, so equal runs give equal bits.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Ids { int ids[]; };
layout(set = 0, binding = 1) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 2) writeonly buffer Table { QUAD table[]; };

#include "embedding_gradient.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    int row = first + int(i / row_quads);
    vec4 sum = vec4(0.0);
    for (uint n = 0u; n < count; n++)
        if (clamp(ids[n / tokens * ids_row + n % tokens], 0, last) == row)
            sum += quad_load(dy[n * row_quads + i % row_quads]);
    table[skip + i] = quad_store(sum);
}
