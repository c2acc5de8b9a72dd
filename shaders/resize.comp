// SPDX-License-Identifier: MIT
// Enlarges images by a whole factor: nearest neighbour, or (SHUFFLE) with each pixel's factor² values from its
// channels. Their order is PyTorch's, c r² + i r + j. One invocation per quad of y. A line is one row of pixels. Lines
// of all images of the batch are counted through, so line l of y comes from line l / factor of x.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint SHUFFLE = 0;

RAW_INPUT(0, X, x);
layout(set = 0, binding = 1) writeonly buffer Y { RAW y[]; };

#include "resize.pc.h"

void compute_item(uint item) {
    uint i = min(item, quads - 1u);
    uint y_row_quads = (channels + 3u) / 4u, pixel = divide(i, y_row_quads), c = i - pixel * y_row_quads;
    uint in_y = divide(pixel, width * factor), column = pixel - in_y * width * factor, line = first_line + in_y;
    uint from = x_base + (divide(line, factor) * width + divide(column, factor)) * x_row_quads;
    if (SHUFFLE == 0u) {
        RAW v = raw_load(x, from + c);
        if (item == i) y[y_skip + i] = v;
        return;
    }
    uvec4 e = uvec4(0u);
    for (uint k = 0u; k < 4u && 4u * c + k < channels; k++) {
        uint s = ((4u * c + k) * factor + line % factor) * factor + column % factor;
        e[k] = raw_get(raw_load(x, from + s / 4u), s % 4u);
    }
    if (item == i) y[y_skip + i] = raw_make(e);
}

EACH_ITEM(compute_item)
