// SPDX-License-Identifier: MIT
// One sampler step in place: guidance, the model's output to a clean prediction D, then new slots as sums over old
// slots, D and noise. src/ops/sampler_update.c has the formulas. One invocation per quad, for all slots of it.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint SLOTS = 1;
layout(constant_id = 4) const uint COPIES = 1;
layout(constant_id = 5) const uint HAS_NOISE = 0;

layout(set = 0, binding = 0) buffer State { vec4 state[]; };
layout(set = 0, binding = 1) readonly buffer Model { QUAD model[]; };
layout(set = 0, binding = 2) readonly buffer Coefs { float coefs[]; };
layout(set = 0, binding = 3) readonly buffer Noise { vec4 noise[]; };
layout(set = 0, binding = 4) readonly buffer Counter { int counter[]; };

#include "sampler_update.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint e = uint(clamp(counter[0], 0, last)) * coef_row;
    float guidance = coefs[e + 1u], a = coefs[e + 2u], b = coefs[e + 3u], clip = coefs[e + 4u];
    int row = HAS_NOISE != 0u ? min(int(floor(coefs[e + 5u])), noise_last) : -1;
    int local = row - noise_first;
    if (row < 0 ? first_window == 0u : local < 0 || local >= noise_count) return;

    vec4 x[SLOTS + 3u];
    for (uint k = 0u; k < SLOTS; k++) x[k] = state[k * quads + i];
    vec4 m = quad_load(model[i]);
    if (COPIES == 2u) m += guidance * (quad_load(model[quads + i]) - m);
    vec4 d = a * x[0] + b * m;
    x[SLOTS + 2u] = d;
    if (clip > 0.0) d = clamp(d, -clip, clip);
    x[SLOTS] = d;
    x[SLOTS + 1u] = vec4(0.0);
    if (row >= 0) x[SLOTS + 1u] = noise[noise_skip + uint(local) * quads + i];

    for (uint k = 0u; k < SLOTS; k++) {
        vec4 sum = vec4(0.0);
        for (uint j = 0u; j < SLOTS + 3u; j++) {
            float w = coefs[e + 6u + k * (SLOTS + 3u) + j];
            if (w != 0.0) sum += w * x[j]; // slots that were never written hold anything, also NaN
        }
        state[k * quads + i] = sum;
    }
}
