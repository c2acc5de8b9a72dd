// SPDX-License-Identifier: MIT
// Computes one sampler step in place. Guidance and the model's output give a clean prediction D; the new history is sums
// over the old one, D and noise. The formulas are in src/ops/sampler_update.c. One invocation per quad of a tensor
// computes all of the history there.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "base/sampler_row.h"

layout(constant_id = 3) const uint HISTORY = 1;
layout(constant_id = 4) const uint COPIES = 1;
layout(constant_id = 5) const uint HAS_NOISE = 0;
layout(constant_id = 6) const uint HAS_BOUNDS = 0;
const uint COLUMNS = HISTORY + FUM_COLUMNS_MORE;

layout(set = 0, binding = 0) buffer State { vec4 state[]; };
layout(set = 0, binding = 1) readonly buffer Model { QUAD model[]; };
layout(set = 0, binding = 2) readonly buffer Coefs { float coefs[]; };
layout(set = 0, binding = 3) readonly buffer Noise { vec4 noise[]; };
layout(set = 0, binding = 4) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 5) readonly buffer Bounds { float bounds[]; }; // one for each picture

#include "sampler_update.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint e = uint(clamp(counter[0], 0, last)) * coef_row;
    float guidance = coefs[e + FUM_COEF_GUIDANCE], clip = coefs[e + FUM_COEF_CLIP];
    float a = coefs[e + FUM_COEF_A], b = coefs[e + FUM_COEF_B];
    int row = HAS_NOISE != 0u ? min(int(floor(coefs[e + FUM_COEF_NOISE])), noise_last) : -1;
    int local = row - noise_first;
    if (row < 0 ? first_window == 0u : local < 0 || local >= noise_count) return;

    vec4 x[COLUMNS];
    for (uint k = 0u; k < HISTORY; k++) x[k] = state[k * quads + i];
    vec4 m = quad_load(model[i]);
    if (COPIES == 2u) m += guidance * (quad_load(model[quads + i]) - m);
    vec4 d = a * x[0] + b * m;
    x[HISTORY + FUM_COLUMN_UNCLAMPED] = d;
    if (HAS_BOUNDS != 0u) {
        float bound = bounds[i / picture_quads];
        d = clamp(d, -bound, bound) / bound;
    } else if (clip > 0.0) {
        d = clamp(d, -clip, clip);
    }
    x[HISTORY + FUM_COLUMN_PREDICTION] = d;
    x[HISTORY + FUM_COLUMN_NOISE] = vec4(0.0);
    if (row >= 0) x[HISTORY + FUM_COLUMN_NOISE] = noise[noise_skip + uint(local) * quads + i];

    for (uint k = 0u; k < HISTORY; k++) {
        vec4 sum = vec4(0.0);
        for (uint j = 0u; j < COLUMNS; j++) {
            float w = coefs[e + FUM_COEF_MATRIX + k * COLUMNS + j];
            if (w != 0.0) sum += w * x[j]; // tensors that were never written hold anything, also NaN
        }
        state[k * quads + i] = sum;
    }
}
