// SPDX-License-Identifier: MIT
// Sines, then cosines of 2 π w log t, in f32 steps that follow diffusers' GaussianFourierProjection, so that the
// roundings of large phases are its own. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"

layout(set = 0, binding = 0) readonly buffer T { float t[]; };
layout(set = 0, binding = 1) readonly buffer W { float w[]; };
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "fourier_embedding.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint row_quads = (2u * frequencies + 3u) / 4u, c = i % row_quads * 4u;
    float time = log_exact(t[i / row_quads]);
    vec4 v = vec4(0.0);
    for (uint k = 0u; k < 4u && c + k < 2u * frequencies; k++) {
        bool cosine = c + k >= frequencies;
        precise float phase = time * w[cosine ? c + k - frequencies : c + k];
        phase = phase * 2.0;
        phase = phase * 3.14159274101257324;
        float s, co;
        sin_cos(phase, s, co);
        v[k] = cosine ? co : s;
    }
    y[i] = quad_store(v);
}
