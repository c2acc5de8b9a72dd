// SPDX-License-Identifier: MIT
// layer_norm.comp for GPUs: a workgroup for each row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

INPUT(0, X, x);
INPUT(1, Gamma, gamma);
INPUT(2, Beta, beta);
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

layout(constant_id = 5) const uint HAS_GAMMA = 0;
layout(constant_id = 6) const uint HAS_BETA = 0;

#include "rowwise.pc.h"

bool in_second(uint q) { return false; }
vec4 x_at(bool second, uint row, uint q) { return input_load(x, x_skip + row * ((channels + 3u) / 4u) + q); }
#include "lib/moments.glsl"

void main() {
    uint row = group_index(), quads = (channels + 3u) / 4u;
    if (row >= rows) return; // with the whole workgroup
    moments(row, 1u, 0u, channels);
    float inverse = inversesqrt(m2 / n + eps);
    for (uint i = gl_LocalInvocationID.x; i < quads; i += LANES) {
        vec4 v = (x_at(false, row, i) - mean) * inverse;
        if (HAS_GAMMA != 0u) v *= input_load(gamma, i);
        if (HAS_BETA != 0u) v += input_load(beta, i);
        y[y_skip + row * quads + i] = quad_store(v);
    }
}
