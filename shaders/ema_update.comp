// SPDX-License-Identifier: MIT
// average = decay average + rest x, unless a factor is 0. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint SKIPS = 0; // where the factor is 0

layout(set = 0, binding = 0) buffer Average { vec4 average[]; };
INPUT(1, X, x);
layout(set = 0, binding = 2) readonly buffer Factor { float factor[]; };

#if defined(TEXEL_INPUTS) // the average once more
INPUT(3, Old, old);
#define OLD(i) input_load(old, i)
#else
#define OLD(i) average[i]
#endif

#include "ema_update.pc.h"

bool skipped;

void compute_item(uint i) {
    uint at = min(i, quads - 1u);
    vec4 next = decay * OLD(at) + rest * input_load(x, at);
    if (i >= quads || skipped) return;
    average[i] = next;
}

EACH_ITEM_AFTER(skipped = SKIPS != 0u && factor[0] == 0.0, compute_item)
