// SPDX-License-Identifier: MIT
// The gradient of discretised_gaussian: dmean, then dlog_scale. One invocation per quad of x.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/discretised_gaussian.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Mean { QUAD mean[]; };
layout(set = 0, binding = 2) readonly buffer LogScale { QUAD log_scale[]; };
layout(set = 0, binding = 3) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 4) writeonly buffer Gradient { QUAD gradient[]; };

#include "flat.pc.h"

void main() {
    uint i = item_index();
    if (i >= quads) return;
    vec4 a = quad_load(x[i]), m = quad_load(mean[i]), s = quad_load(log_scale[i]), d = quad_load(dy[i]);
    vec4 dmean, dlog_scale;
    for (uint k = 0u; k < 4u; k++) {
        bin b = bin_of(a[k], m[k], s[k]);
        // The clamp of the probability lets no gradient through.
        float slope = b.probability >= LEAST_PROBABILITY ? d[k] / b.probability : 0.0;
        dmean[k] = slope * (b.upper_slope + b.lower_slope) * exp_exact(clamp(-s[k], -60.0, 60.0));
        dlog_scale[k] = slope * (b.upper_slope * b.upper + b.lower_slope * b.lower);
    }
    gradient[i] = quad_store(dmean);
    gradient[quads + i] = quad_store(dlog_scale);
}
