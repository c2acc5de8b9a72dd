// SPDX-License-Identifier: MIT
// Computes the scale and shift per channel of a group norm in one dispatch, a = gamma / sqrt(var + eps) and b = beta -
// mean a. One workgroup per batch and group.
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(set = 0, binding = 3) writeonly buffer Factors { float factors[]; }; // [batch][a, b][channel]

#include "group_norm.pc.h"

#define X_SKIP 0u
#define X1_SKIP 0u
#include "lib/group_norm_input.glsl"

void main() {
    uint item = group_index(), group = item % groups, batch = item / groups;
    if (batch >= batches) return; // with the whole workgroup
    uint first = group * group_channels, end = first + group_channels;
    moments(batch * rows, rows, first, end);
    float inverse = inversesqrt(m2 / n + eps);
    uint to = batch * 8u * quads;
    for (uint c = first + gl_LocalInvocationID.x; c < end; c += LANES) {
        float a = inverse * input_load(gamma, c / 4u)[c % 4u];
        factors[to + c] = a;
        factors[to + 4u * quads + c] = fma(-mean, a, input_load(beta, c / 4u)[c % 4u]);
    }
}
