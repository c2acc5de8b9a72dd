// SPDX-License-Identifier: MIT
// dx = dy act'(x) where x is between least and most, else 0, element by element. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"
#include "lib/act_derivative.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"
#include "lib/function.glsl"
#include "lib/function_derivative.glsl"

layout(constant_id = 3) const uint ACT = 0;

INPUT(0, X, x);
INPUT(1, Dy, dy);
layout(set = 0, binding = 2) writeonly buffer Dx { QUAD dx[]; };

#include "unary_gradient.pc.h"

void compute_item(uint item) {
    uint i = min(item, quads - 1u);
    vec4 v = input_load(x, i), d = input_load(dy, i) * function_derivative(ACT, v);
    bvec4 below = lessThan(v, vec4(least)), above = greaterThan(v, vec4(most));
    d = mix(d, vec4(0.0), below);
    if (item == i) dx[i] = quad_store(mix(d, vec4(0.0), above));
}

EACH_ITEM(compute_item)
