// SPDX-License-Identifier: MIT
// y = x / sqrt(mean(x^2) + eps) gamma over each row; one invocation per row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"


layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Gamma { QUAD gamma[]; };
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "rowwise.pc.h"

void main() {
    uint row = item_index(), quads = (channels + 3u) / 4u;
    if (row >= rows) return;
    uint at = x_skip + row * quads, to = y_skip + row * quads;
    vec4 squares = vec4(0.0);
    for (uint i = 0u; i < channels / 4u; i++) {
        vec4 v = quad_load(x[at + i]);
        squares = fma(v, v, squares);
    }
    if (channels % 4u != 0u) {
        vec4 v = quad_mask(quad_load(x[at + channels / 4u]), channels / 4u, channels, 0.0);
        squares = fma(v, v, squares);
    }
    float inverse = inversesqrt((squares.x + squares.y + squares.z + squares.w) / float(channels) + eps);
    for (uint i = 0u; i < quads; i++) y[to + i] = quad_store(quad_load(x[at + i]) * inverse * quad_load(gamma[i]));
}
