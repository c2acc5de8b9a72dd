// SPDX-License-Identifier: MIT
// Joins up to six tensors. Every run of quads of the output is a run of each input. A workgroup copies PIECE quads of a
// run, since a division for each of them would take longer than the copy on CPU devices.
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint COUNT = 6; // inputs that exist; the others are bound to the first
layout(constant_id = 4) const uint PIECE = 256;

RAW_INPUT(0, X0, x0);
RAW_INPUT(1, X1, x1);
RAW_INPUT(2, X2, x2);
RAW_INPUT(3, X3, x3);
RAW_INPUT(4, X4, x4);
RAW_INPUT(5, X5, x5);
layout(set = 0, binding = 6) writeonly buffer Y { RAW y[]; };

#include "concat.pc.h"

RAW quad_of(uint n, uint q) {
    if (COUNT == 1u || q < end0) return raw_load(x0, n * end0 + q);
    if (COUNT == 2u || q < end1) return raw_load(x1, n * (end1 - end0) + q - end0);
    if (COUNT == 3u || q < end2) return raw_load(x2, n * (end2 - end1) + q - end1);
    if (COUNT == 4u || q < end3) return raw_load(x3, n * (end3 - end2) + q - end2);
    if (COUNT == 5u || q < end4) return raw_load(x4, n * (end4 - end3) + q - end3);
    return raw_load(x5, n * (run - end4) + q - end4);
}

void main() {
    uint pieces = (run + PIECE - 1u) / PIECE, n = group_index() / pieces, first = group_index() % pieces * PIECE;
    if (n >= runs) return;
    uint end = min(first + PIECE, run);
    for (uint q = first + gl_LocalInvocationID.x; q < end; q += gl_WorkGroupSize.x) y[n * run + q] = quad_of(n, q);
}
