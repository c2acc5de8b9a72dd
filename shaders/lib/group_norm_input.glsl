// SPDX-License-Identifier: MIT
// Reads for group_norm.glsl and group_norm_affine.glsl: x, then, if TWO, the channels of x1, and the moments of both.
// Before this file they push quads, of a row, and x_quads, those of them in x. They also define where x and x1 begin,
// X_SKIP and X1_SKIP in quads.
INPUT(0, X, x);
INPUT(1, Gamma, gamma);
INPUT(2, Beta, beta);
INPUT(4, X1, x1);

layout(constant_id = 5) const uint TWO = 0; // 1: the channels of x1 follow those of x

bool in_second(uint q) { return TWO != 0u && q >= x_quads; }
vec4 x_at(const bool second, uint row, uint q) {
    if (second) return input_load(x1, X1_SKIP + row * (quads - x_quads) + q - x_quads);
    return input_load(x, X_SKIP + row * x_quads + q);
}
#include "lib/moments.glsl"
