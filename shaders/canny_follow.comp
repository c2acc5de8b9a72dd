// SPDX-License-Identifier: MIT
// Makes weak marks, 1, beside an edge, 2, part of it. One invocation per pixel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };

#include "canny.pc.h"

uint place(uint row, uint column) { return row * ((width + 3u) / 4u * 4u) + column; }

void main() {
    uint item = item_index();
    if (item >= height * width) return;
    uint row = item / width, column = item - row * width;
    float mark = x[place(row, column)];
    uint top = max(row, 1u) - 1u, bottom = min(row + 2u, height), left = max(column, 1u) - 1u, right = min(column + 2u, width);
    bool beside = false;
    for (uint r = top; r < bottom; r++)
        for (uint c = left; c < right; c++) beside = beside || x[place(r, c)] == 2.0;
    y[place(row, column)] = mark == 1.0 && beside ? 2.0 : mark;
}
