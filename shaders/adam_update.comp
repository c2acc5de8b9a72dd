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

// What a load for each item would take longer to fetch than the item takes.
float scale, rate, m_share, root_share;

void load_row() {
    scale = SCALED != 0u ? factor[0] : 1.0;
    rate = row[0];
    m_share = rate / row[1];
    root_share = inversesqrt(row[2]);
}

void compute_item(uint i) {
    uint at = min(i, quads - 1u);
    vec4 p = OLD(parameter, at), g = input_load(gradient, at), old_m = OLD(first, at), old_v = OLD(second, at);
    if (i >= quads || scale == 0.0) return; // 0: the update is skipped, whatever the gradient
    if (SCALED != 0u) g *= scale;
    if (DECOUPLED == 0u) g += decay * p;
    vec4 m = beta1 * old_m + rest1 * g, v = beta2 * old_v + rest2 * g * g;
    if (DECOUPLED != 0u) p -= rate * decay * p;
    parameter[i] = p - m_share * m / (sqrt(v) * root_share + eps);
    first[i] = m;
    second[i] = v;
}

EACH_ITEM_AFTER(load_row(), compute_item)
