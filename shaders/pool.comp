// SPDX-License-Identifier: MIT
// The average or maximum of each window of an image. One invocation per quad of channels of an output.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint MAXIMUM = 0;

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { QUAD y[]; };

#include "pool.pc.h"
#include "lib/pool.glsl"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    uint pixel = i / row_quads, image = skip[0] + pixel / out_w / out_h * in_h * in_w * row_quads + i % row_quads;
    pool_window w = window_of(int(pixel / out_w % out_h), int(pixel % out_w));
    vec4 sum = vec4(0.0), top = quad_load(x[image + uint(w.top * int(in_w) + w.left) * row_quads]);
    for (int iy = w.top; iy < w.bottom; iy++)
        for (int ix = w.left; ix < w.right; ix++) {
            vec4 v = quad_load(x[image + uint(iy * int(in_w) + ix) * row_quads]);
            sum += v;
            top = max(top, v);
        }
    y[skip[1] + i] = quad_store(MAXIMUM != 0u ? top : sum / w.divisor);
}
