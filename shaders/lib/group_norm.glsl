// SPDX-License-Identifier: MIT
// Computes group norm in one dispatch: y = act(a x + b) with a = gamma / sqrt(var + eps) and b = beta - mean a. A
// workgroup takes `span` groups of a batch, as many as begin and end on whole quads, and reads them twice.
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"

layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

layout(constant_id = 6) const uint ACT = 0;

#include "group_norm.pc.h"

shared float means[4], inverses[4];

#define X_SKIP x_skip
#define X1_SKIP x1_skip
#include "lib/group_norm_input.glsl"

void main() {
    uint spans = groups / span, item = group_index(), batch = item / spans;
    uint first = item % spans * span * group_channels;
    if (batch >= batches) return; // with the whole workgroup
    for (uint g = 0u; g < span; g++) {
        moments(batch * rows, rows, first + g * group_channels, first + (g + 1u) * group_channels);
        means[g] = mean; // the same by every lane
        inverses[g] = inversesqrt(m2 / n + eps);
    }
    barrier();
    uint count = span * group_channels / 4u, lane = gl_LocalInvocationID.x;
    uint lanes_q = lanes_along(count), lanes_r = LANES / lanes_q, lane_r = lane / lanes_q;
    for (uint q = lane % lanes_q; q < count && lane_r < lanes_r; q += lanes_q) {
        vec4 a = input_load(gamma, first / 4u + q), b = input_load(beta, first / 4u + q);
        for (uint c = 0u; c < 4u; c++) {
            uint g = (4u * q + c) / group_channels;
            a[c] *= inverses[g];
            b[c] = fma(-means[g], a[c], b[c]);
        }
        uint row = batch * rows + lane_r, end = (batch + 1u) * rows, at = first / 4u + q;
        if (in_second(at)) {
            for (; row < end; row += lanes_r)
                y[y_skip + row * quads + at] = quad_store(act_apply(ACT, fma(x_at(true, row, at), a, b)));
        } else {
            for (; row < end; row += lanes_r)
                y[y_skip + row * quads + at] = quad_store(act_apply(ACT, fma(x_at(false, row, at), a, b)));
        }
    }
}
