// SPDX-License-Identifier: MIT
// The number of the table's row that is nearest to each row of x, the first of equally near ones. One invocation per
// row of x.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Table { QUAD table[]; };
layout(set = 0, binding = 2) writeonly buffer Y { int y[]; };

#include "row_index.pc.h"

void main() {
    uint row = item_index(), row_quads = (channels + 3u) / 4u;
    if (row >= rows) return;
    float least = 3.4e38;
    int best = 0;
    for (uint t = 0u; t < table_rows; t++) {
        vec4 sum = vec4(0.0);
        for (uint c = 0u; c < row_quads; c++) {
            vec4 off = quad_load(x[row * row_quads + c]) - quad_load(table[t * row_quads + c]);
            off = quad_mask(off, c, channels, 0.0);
            sum += off * off;
        }
        float distance2 = sum.x + sum.y + sum.z + sum.w;
        if (distance2 < least) {
            least = distance2;
            best = int(t);
        }
    }
    y[row / y_channels * ((y_channels + 3u) / 4u * 4u) + row % y_channels] = best;
}
