// SPDX-License-Identifier: MIT
// One update of a parameter and its velocity by gradient descent. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(constant_id = 3) const uint SCALED = 0; // the gradient has a factor

layout(set = 0, binding = 0) buffer Parameter { vec4 parameter[]; };
layout(set = 0, binding = 1) buffer Velocity { vec4 velocity[]; };
layout(set = 0, binding = 2) readonly buffer Gradient { vec4 gradient[]; };
layout(set = 0, binding = 3) readonly buffer Row { float row[]; }; // the rate
layout(set = 0, binding = 4) readonly buffer Factor { float factor[]; };

#include "sgd_update.pc.h"

void compute_item(uint i) {
    if (i >= quads) return;
    vec4 p = parameter[i], g = gradient[i];
    if (SCALED != 0u) {
        if (factor[0] == 0.0) return; // the update is skipped, whatever the gradient
        g *= factor[0];
    }
    vec4 v = momentum * velocity[i] + g + decay * p;
    parameter[i] = p - row[0] * v;
    velocity[i] = v;
}

EACH_ITEM(compute_item)
