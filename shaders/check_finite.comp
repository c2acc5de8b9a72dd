// SPDX-License-Identifier: MIT
// Lowers flag to `code` if an element of x is infinite or NaN. One invocation per STRIDE quads.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint STRIDE = 4;

layout(set = 0, binding = 0) buffer Flag { int flag[]; };
layout(set = 0, binding = 1) readonly buffer X { QUAD x[]; };

#include "check_finite.pc.h"

void main() {
    uint base = item_index() * STRIDE;
    bool bad = false;
    for (uint k = 0u; k < STRIDE; k++) {
        uint i = base + k;
        if (i >= quads) break;
        // Tests the bits, since a compiler that assumes finite numbers drops isnan and isinf.
        uvec4 bits = floatBitsToUint(quad_mask(quad_load(x[i]), (first + i) % row_quads, channels, 0.0));
        bad = bad || any(equal(bits & 0x7f800000u, uvec4(0x7f800000u)));
    }
    if (bad) atomicMin(flag[0], code);
}
