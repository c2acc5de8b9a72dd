// SPDX-License-Identifier: MIT
// Copies rows × channels between two tensors that differ in which rows and which channels they hold. One invocation
// per quad of the target that gets at least one element; elements of it before the region stay as they are.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint ALIGNED = 0; // both channel starts are multiples of four

RAW_INPUT(0, X, x);
layout(set = 0, binding = 1) buffer Y { RAW y[]; };

#include "copy.pc.h"

void compute_item(uint item) {
    uint i = min(item, items - 1u), r = divide(i, row_items), q = y_channel / 4u + i - r * row_items;
    uint n = divide(r, run), from = x_base + n * x_run + (r - n * run) * x_row;
    uint to = y_base + n * y_run + (r - n * run) * y_row + q;
    if (ALIGNED != 0u) {
        RAW v = raw_load(x, from + x_channel / 4u + q - y_channel / 4u);
        if (item == i) y[to] = v;
        return;
    }
    if (item != i) return;
    uvec4 e = uvec4(0u);
    bool keeps = 4u * q < y_channel;
    RAW old = RAW(0u);
    if (keeps) old = y[to];
    for (uint k = 0u; k < 4u; k++) {
        uint c = 4u * q + k;
        if (c < y_channel) e[k] = raw_get(old, k);
        else if (c < y_channel + channels) {
            uint s = c - y_channel + x_channel;
            e[k] = raw_get(raw_load(x, from + s / 4u), s % 4u);
        }
    }
    y[to] = raw_make(e);
}

EACH_ITEM(compute_item)
