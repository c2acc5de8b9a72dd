// SPDX-License-Identifier: MIT
// Marks where the gradient of a grey picture is longest across an edge: 2 above the high threshold, 1 above the low one,
// else 0. One invocation per pixel. All numbers are whole, so the marks are those of the reference, bit for bit.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };

#include "canny.pc.h"

const int TAN_22 = 13573; // tangent of 22.5 degrees in 1/32768
const int SHIFT = 15;

uint place(uint row, uint column) { return row * ((width + 3u) / 4u * 4u) + column; }

// Returns a pixel; past the edges those of the edge.
int grey(int row, int column) {
    return int(x[place(uint(clamp(row, 0, int(height) - 1)), uint(clamp(column, 0, int(width) - 1)))]);
}

// Returns Sobel's filter and the squared length; 0 outside of the picture.
ivec3 gradient(int row, int column) {
    if (row < 0 || column < 0 || row >= int(height) || column >= int(width)) return ivec3(0);
    int a = grey(row - 1, column - 1), b = grey(row - 1, column), c = grey(row - 1, column + 1);
    int d = grey(row, column - 1), f = grey(row, column + 1);
    int h = grey(row + 1, column - 1), i = grey(row + 1, column), j = grey(row + 1, column + 1);
    int dx = c - a + 2 * (f - d) + j - h, dy = h - a + 2 * (i - b) + j - c;
    return ivec3(dx, dy, dx * dx + dy * dy);
}

int length2(int row, int column) { return gradient(row, column).z; }

// True if no neighbour across the edge has a longer gradient. Directions are those of multiples of 45 degrees.
bool is_ridge(ivec3 g, int row, int column) {
    int across = abs(g.x), along = abs(g.y) << SHIFT, tan_22 = across * TAN_22;
    if (along < tan_22) return g.z > length2(row, column - 1) && g.z >= length2(row, column + 1);
    if (along > tan_22 + (across << (SHIFT + 1))) return g.z > length2(row - 1, column) && g.z >= length2(row + 1, column);
    int side = (g.x ^ g.y) < 0 ? -1 : 1;
    return g.z > length2(row - 1, column - side) && g.z > length2(row + 1, column + side);
}

void main() {
    uint item = item_index();
    if (item >= height * width) return;
    uint row = item / width, column = item - row * width;
    ivec3 g = gradient(int(row), int(column));
    bool ridge = g.z > low && is_ridge(g, int(row), int(column));
    float mark = g.z > high ? 2.0 : 1.0;
    y[place(row, column)] = ridge ? mark : 0.0;
}
