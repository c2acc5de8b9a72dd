// SPDX-License-Identifier: MIT
// The kernel of the convolution that gives conv2d's gradient by its image. It is w flipped, with its channels swapped
// and the pixels of a stride as channels. src/ops/conv2d_gradient_kernel.c has the formula. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

// A constant, so that the usual stride of 1 takes no divisions.
layout(constant_id = 3) const int STRIDE = 1;

INPUT(0, W, w);
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "conv2d_gradient_kernel.pc.h"

void compute_item(uint i) {
    const uint parts = uint(STRIDE * STRIDE);
    uint row_quads = (parts * in_c + 3u) / 4u;
    uint row = divide(i, row_quads), first_channel = (i - row * row_quads) * 4u;
    uint tap = divide(row, out_c), o = row - tap * out_c, tap_y = divide(tap, taps_x);
    int top = pad - STRIDE * (first + int(tap_y)), left = pad_x - STRIDE * (first + int(tap - tap_y * taps_x));
    uint out_quads = (out_c + 3u) / 4u;
    vec4 v = vec4(0.0);
    [[unroll]] for (uint j = 0u; j < 4u; j++) {
        uint channel = min(first_channel + j, parts * in_c - 1u), from_c = parts == 1u ? channel : divide(channel, parts);
        uint part = channel - from_c * parts, part_y = parts == 1u ? 0u : divide(part, uint(STRIDE));
        int ky = int(part_y) + top, kx = int(part - part_y * uint(STRIDE)) + left;
        bool there = ky >= 0 && ky < int(height) && kx >= 0 && kx < int(width);
        uint from = (there ? uint(ky) * width + uint(kx) : 0u) * in_c + from_c;
        float value = input_load(w, from * out_quads + o / 4u)[o % 4u];
        v[j] = there ? value : 0.0;
    }
    if (i < quads) y[i] = quad_store(v);
}

EACH_ITEM(compute_item)
