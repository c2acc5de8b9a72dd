// SPDX-License-Identifier: MIT
// Sums dy and dy n over the rows of each batch, n = a x + b being the normalised x. If ACT, dy act'(gamma n + beta) takes
// the place of dy. An invocation adds up every
// chunks-th row of a batch and quad. The first of two passes writes partial sums, the second adds those.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"
#include "lib/act_derivative.glsl"

layout(constant_id = 3) const uint LAST = 0;  // writes the result
layout(constant_id = 4) const uint AGAIN = 0; // adds partial sums
layout(constant_id = 5) const uint ACT = 0;

INPUT(0, Dy, dy);
INPUT(1, X, x);
INPUT_F32(2, Factors, factors);                             // [batch][a, b][quad]
INPUT(3, Gamma, gamma);
INPUT(4, Beta, beta);
layout(set = 0, binding = 5) buffer Partial { vec4 partial[]; }; // [chunk][batch][dy, dy n][quad]
layout(set = 0, binding = 6) writeonly buffer Sums { vec4 sums[]; };

#include "group_norm_sums.pc.h"

void main() {
    uint cells = batches * quads, item = min(item_index(), cells * chunks - 1u), chunk = divide(item, cells);
    uint cell = item - chunk * cells, batch = divide(cell, quads), quad = cell - batch * quads;
    uint to = batch * 2u * quads + quad;
    vec4 sum = vec4(0.0), product = vec4(0.0);
    if (AGAIN != 0u) {
        for (uint from = to, k = 0u; k < chunks; k++, from += 2u * cells) {
            sum += partial[from];
            product += partial[from + quads];
        }
    } else {
        vec4 a = input_load_f32(factors, to), b = input_load_f32(factors, to + quads);
        vec4 scale = vec4(0.0), shift = vec4(0.0);
        if (ACT != 0u) {
            scale = input_load(gamma, quad);
            shift = input_load(beta, quad);
        }
        for (uint row = chunk; row < rows; row += chunks) {
            uint at = (batch * rows + row) * quads + quad;
            vec4 d = input_load(dy, at), n = fma(input_load(x, at), a, b);
            if (ACT != 0u) d *= act_derivative(ACT, fma(n, scale, shift));
            sum += d;
            product += d * n;
        }
    }
    if (item != item_index()) return;
    if (LAST != 0u) {
        sums[to] = sum;
        sums[to + quads] = product;
    } else {
        partial[chunk * 2u * cells + to] = sum;
        partial[chunk * 2u * cells + to + quads] = product;
    }
}
