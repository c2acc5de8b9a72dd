// SPDX-License-Identifier: MIT
// dx of a pixel is the sum of dy / divisor over the windows that hold it. One invocation per quad of channels of a pixel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 1) writeonly buffer Dx { QUAD dx[]; };

#include "pool.pc.h"
#include "lib/pool.glsl"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint pixel = i / row_quads, image = skip[0] + pixel / in_w / in_h * out_h * out_w * row_quads + i % row_quads;
    int iy = int(pixel / in_w % in_h), ix = int(pixel % in_w);
    vec4 sum = vec4(0.0);
    for (int oy = first_window(iy); oy <= last_window(iy, out_h); oy++)
        for (int ox = first_window(ix); ox <= last_window(ix, out_w); ox++)
            sum += quad_load(dy[image + uint(oy * int(out_w) + ox) * row_quads]) / window_of(oy, ox).divisor;
    dx[skip[1] + i] = quad_store(sum);
}
