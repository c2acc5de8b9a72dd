// SPDX-License-Identifier: MIT
// The KL divergence of two normal distributions, element by element. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"

layout(constant_id = 3) const uint HAS_MEAN2 = 0; // else 0
layout(constant_id = 4) const uint HAS_V2 = 0;    // else 0: the second variance is 1

layout(set = 0, binding = 0) readonly buffer Mean1 { QUAD mean1[]; };
layout(set = 0, binding = 1) readonly buffer V1 { QUAD v1[]; };
layout(set = 0, binding = 2) readonly buffer Mean2 { QUAD mean2[]; };
layout(set = 0, binding = 3) readonly buffer V2 { QUAD v2[]; };
layout(set = 0, binding = 4) writeonly buffer Y { QUAD y[]; };

#include "flat.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    vec4 off = quad_load(mean1[i]), v = quad_load(v1[i]), precision2 = vec4(1.0);
    if (HAS_MEAN2 != 0u) off -= quad_load(mean2[i]);
    if (HAS_V2 != 0u) {
        v -= quad_load(v2[i]);
        precision2 = exp4(-quad_load(v2[i]));
    }
    y[i] = quad_store(0.5 * (expm1_4(v) - v + off * off * precision2));
}
