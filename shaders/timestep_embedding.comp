// SPDX-License-Identifier: MIT
// Sinusoidal embedding of times, in f32 steps that follow diffusers' get_timestep_embedding, so that the roundings of
// t × frequency are its own. One invocation per quad of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"

layout(constant_id = 3) const uint COS_FIRST = 1;
layout(constant_id = 4) const uint INTEGERS = 0; // times are int, not float

layout(set = 0, binding = 0) readonly buffer T { uint t[]; };
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "timestep_embedding.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint row_quads = (dim + 3u) / 4u, half_dim = dim / 2u, c = i % row_quads * 4u;
    uint bits = t[i / row_quads * t_stride];
    float time = INTEGERS != 0u ? float(int(bits)) : uintBitsToFloat(bits);
    vec4 v = vec4(0.0);
    for (uint k = 0u; k < 4u && c + k < 2u * half_dim; k++) { // an odd last channel is zero
        bool second = c + k >= half_dim;
        uint j = second ? c + k - half_dim : c + k;
        precise float exponent = minus_log_period * float(j);
        precise float angle = time * exp_exact(div_exact(exponent, divisor));
        precise float scaled = scale * angle;
        float s, co;
        sin_cos(scaled, s, co);
        v[k] = second == (COS_FIRST != 0u) ? s : co;
    }
    y[i] = quad_store(v);
}
