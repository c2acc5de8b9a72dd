// SPDX-License-Identifier: MIT
// What the kernels of conv2d_weight_gradient by texels and by tiles share. dw is a matrix product. Its rows are the
// taps and the channels of each, in whole quads. Its columns are output channels, and its terms the pixels of dy.
#include "weight_gradient.pc.h"

layout(constant_id = 3) const uint PARTIAL = 0; // 1: sums go to scratch, one layer per split
layout(constant_id = 4) const uint WRAPS = 1;   // lines that a step of pixels spans beyond its first

// A pixel of dy.
struct Pixel {
    uint x, y, image;
};

Pixel find_pixel(uint at) {
    uint line = at / out_w;
    return Pixel(at - line * out_w, line % out_h, line / out_h);
}

// Moves on by a few pixels, at most WRAPS lines. On CPU drivers divisions or a loop would take longer.
void move_pixel(inout Pixel p, uint by) {
    p.x += by;
    [[unroll]] for (uint i = 0u; i < WRAPS; i++) {
        bool over = p.x >= out_w;
        p.x -= over ? out_w : 0u;
        p.y += over ? 1u : 0u;
        bool last = p.y == out_h;
        p.y = last ? 0u : p.y;
        p.image += last ? 1u : 0u;
    }
}

// The quad of rows of the product that an invocation fetches: where its tap lies, and its quad of channels.
struct RowQuad {
    int y, x;
    uint quad;
};

RowQuad find_row_quad(uint at) {
    uint q = min(at, taps * k_quads - 1u), tap = q / k_quads;
    return RowQuad(int(tap / kernel_w) - pad, int(tap % kernel_w) - pad_x, q - tap * k_quads);
}

// Finds the quad of x that a pixel reads by a tap. Returns false, with a quad that exists, if it is outside the image.
bool find_x(Pixel p, RowQuad r, out uint at) {
    int iy = int(p.y) * stride + r.y, ix = int(p.x) * stride + r.x;
    bool there = iy >= 0 && iy < int(in_h) && ix >= 0 && ix < int(in_w);
    at = x_skip + (there ? ((p.image * in_h + uint(iy)) * in_w + uint(ix)) * k_quads : 0u) + r.quad;
    return there;
}

// Finds where row `part` of a quad of rows goes. Returns false if there is no such row.
bool find_row(uint row_quad, uint part, out uint row) {
    uint tap = row_quad / k_quads, k = (row_quad - tap * k_quads) * 4u + part;
    row = tap * in_c + k;
    return tap < taps && k < in_c;
}
