// SPDX-License-Identifier: MIT
// A transposed convolution with a bias. One invocation per quad of channels of a pixel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer Dy { QUAD dy[]; }; // the input
layout(set = 0, binding = 1) readonly buffer W { QUAD w[]; };
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };
layout(set = 0, binding = 3) readonly buffer Bias { QUAD bias[]; };

#include "conv2d_gradient.pc.h"
#include "lib/conv2d_input_gradient.glsl"

void main() {
    uint i = item_index();
    if (i < quads) y[i] = quad_store(image_quad(i) + quad_load(bias[i % ((in_c + 3u) / 4u)]));
}
