// SPDX-License-Identifier: MIT
// dw of a tap, input and output channel: the sum over all outputs of dy and what they read by that tap. One invocation
// per quad of output channels, which adds in one order.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 2) writeonly buffer Dw { QUAD dw[]; };

#include "conv2d_gradient.pc.h"

void main() {
    uint i = item_index(), in_quads = (in_c + 3u) / 4u, out_quads = (out_c + 3u) / 4u;
    if (i >= quads) return;
    uint q = i % out_quads, row = i / out_quads, channel = row % in_c, tap = row / in_c;
    vec4 sum = vec4(0.0);
    for (uint o = 0u; o < batches * out_h * out_w; o++) {
        int iy = int(o / out_w % out_h) * stride + int(tap / kernel_w) - pad;
        int ix = int(o % out_w) * stride + int(tap % kernel_w) - pad_x;
        if (iy < 0 || iy >= int(in_h) || ix < 0 || ix >= int(in_w)) continue;
        uint at = ((o / out_w / out_h * in_h + uint(iy)) * in_w + uint(ix)) * in_quads + channel / 4u;
        sum = fma(vec4(quad_load(x[at])[channel % 4u]), quad_load(dy[o * out_quads + q]), sum);
    }
    dw[i] = quad_store(sum);
}
