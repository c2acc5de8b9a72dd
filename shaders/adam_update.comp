// SPDX-License-Identifier: MIT
// One update of a parameter and its two moments by Adam. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint DECOUPLED = 0; // the decay moves the parameter, not its gradient
layout(constant_id = 4) const uint SCALED = 0;    // the gradient has a factor

layout(set = 0, binding = 0) buffer Parameter { vec4 parameter[]; };
layout(set = 0, binding = 1) buffer First { vec4 first[]; };
layout(set = 0, binding = 2) buffer Second { vec4 second[]; };
INPUT(3, Gradient, gradient);
layout(set = 0, binding = 4) readonly buffer Row { float row[]; }; // rate, 1 - beta1^t, 1 - beta2^t
layout(set = 0, binding = 5) readonly buffer Factor { float factor[]; };

#if defined(TEXEL_INPUTS) // the first three once more
INPUT(6, OldParameter, old_parameter);
INPUT(7, OldFirst, old_first);
INPUT(8, OldSecond, old_second);
#define OLD(name, i) input_load(old_##name, i)
#else
#define OLD(name, i) name[i]
#endif

#include "adam_update.pc.h"

void compute_item(uint i) {
    uint at = min(i, quads - 1u);
    vec4 p = OLD(parameter, at), g = input_load(gradient, at), old_m = OLD(first, at), old_v = OLD(second, at);
    if (i >= quads) return;
    if (SCALED != 0u) {
        if (factor[0] == 0.0) return; // the update is skipped, whatever the gradient
        g *= factor[0];
    }
    if (DECOUPLED == 0u) g += decay * p;
    vec4 m = beta1 * old_m + rest1 * g, v = beta2 * old_v + rest2 * g * g;
    if (DECOUPLED != 0u) p -= row[0] * decay * p;
    parameter[i] = p - row[0] * (m / row[1]) / (sqrt(v / row[2]) + eps);
    first[i] = m;
    second[i] = v;
}

EACH_ITEM(compute_item)
