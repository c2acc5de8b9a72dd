// SPDX-License-Identifier: MIT
// y = act(x), element by element. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"
#include "lib/function.glsl"

layout(constant_id = 3) const uint ACT = 0;

INPUT(0, X, x);
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "unary.pc.h"

void compute_item(uint item) {
    vec4 v = function_apply(ACT, input_load(x, min(item, quads - 1u)));
    if (item < quads) y[item] = quad_store(v);
}

EACH_ITEM(compute_item)
