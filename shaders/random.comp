// SPDX-License-Identifier: MIT
// Draws numbers in f32. One invocation per quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/philox.glsl"

layout(constant_id = 3) const uint NORMAL = 1; // else uniform in (0, 1]

layout(set = 0, binding = 0) readonly buffer Key { uvec4 key; }; // seed low, seed high, offset
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "random.pc.h"

void compute_item(uint i) {
    if (i >= quads) return;
    uint row_quads = (channels + 3u) / 4u, row = (first + i) / row_quads, c = (first + i) % row_quads * 4u;
    vec4 v = vec4(0.0);
    for (uint k = 0u; k < 4u && c + k < channels; k++) {
        uvec4 bits = philox(uvec4(key.z + offset, 0u, row * channels + c + k, 0u), key.xy);
        precise float u = float(bits.x) * 2.3283064365386963e-10 + 1.1641532182693481e-10;
        if (NORMAL == 0u) {
            v[k] = u;
            continue;
        }
        precise float angle = float(bits.y) * 1.4629180792671596e-9 + 7.314590396335798e-10; // 2π times as much
        float s, co;
        sin_cos(angle, s, co);
        v[k] = sqrt(-2.0 * log_exact(u)) * s;
    }
    y[i] = quad_store(v);
}

EACH_ITEM(compute_item)
