// SPDX-License-Identifier: MIT
// dx of a pixel and channel is the sum of w dy over taps and output channels. A tap contributes where an output reads
// the pixel by it. One invocation per quad of channels of a pixel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 1) readonly buffer W { QUAD w[]; };
layout(set = 0, binding = 2) writeonly buffer Dx { QUAD dx[]; };

#include "conv2d_gradient.pc.h"
#include "lib/conv2d_input_gradient.glsl"

void main() {
    uint i = item_index();
    if (i < quads) dx[i] = quad_store(image_quad(i));
}
