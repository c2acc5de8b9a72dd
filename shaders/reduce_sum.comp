// SPDX-License-Identifier: MIT
// Sums over some dimensions, in one or two passes of a fixed order. An invocation adds up every chunks-th term of one
// cell, which is a quad of y. The first of two passes writes partial sums, the second adds those.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"

layout(constant_id = 3) const uint ACROSS = 0; // the channels are summed over, too
layout(constant_id = 4) const uint LAST = 0;   // writes y
layout(constant_id = 5) const uint AGAIN = 0;  // adds partial sums

INPUT(0, X, x);
layout(set = 0, binding = 1) buffer Partial { vec4 partial[]; }; // [chunk][cell]
layout(set = 0, binding = 2) writeonly buffer Y { QUAD y[]; };

#include "reduce_sum.pc.h"

// The summed dimensions follow the kept ones, so the quads of a cell's terms lie side by side.
layout(constant_id = 6) const uint INNER = 0;

uint row_of(uint i, uint d1, uint d2) {
    uint line = divide(i, d2), n = divide(line, d1);
    return n * stride0 + (line - n * d1) * stride1 + i - line * d2;
}

vec4 term(uint cell, uint t) {
    if (AGAIN != 0u) return partial[t * cells + cell];
    if (INNER != 0u) {
        uint kept = divide(cell, row_quads);
        if (ACROSS == 0u) return input_load(x, (kept * terms + t) * row_quads + cell - kept * row_quads);
        vec4 v = input_load(x, cell * terms + t);
        return channels % 4u != 0u ? quad_mask(v, t % row_quads, channels, 0.0) : v;
    }
    uint q = ACROSS != 0u ? t % row_quads : cell % row_quads;
    uint kept = ACROSS != 0u ? cell : cell / row_quads, summed = ACROSS != 0u ? t / row_quads : t;
    vec4 v = input_load(x, (row_of(kept, y_d1, y_d2) + row_of(summed, sum_d1, sum_d2)) * row_quads + q);
    return ACROSS != 0u ? quad_mask(v, q, channels, 0.0) : v;
}

vec4 sum_terms(uint cell, uint chunk) {
    vec4 sum = vec4(0.0);
    for (uint t = chunk; t < terms; t += chunks) sum += term(cell, t);
    return sum;
}

// Does the same where a cell's terms are a quad of every row. CPU drivers leave in a loop what does not change there, so
// the index is found before it, and four terms share its end.
vec4 sum_lines(uint cell, uint chunk) {
    uint kept = divide(cell, row_quads), at = (kept * terms + chunk) * row_quads + cell - kept * row_quads;
    uint step = chunks * row_quads, t = chunk;
    vec4 sum = vec4(0.0);
    for (; t + 3u * chunks < terms; t += 4u * chunks) {
        vec4 q0 = input_load(x, at), q1 = input_load(x, at + step), q2 = input_load(x, at + 2u * step),
             q3 = input_load(x, at + 3u * step);
        sum = sum + q0 + q1 + q2 + q3;
        at += 4u * step;
    }
    for (; t < terms; t += chunks) {
        sum += input_load(x, at);
        at += step;
    }
    return sum;
}

void compute_item(uint item) {
    uint chunk = divide(item, cells), cell = item - chunk * cells;
    if (chunk >= chunks) return;
    vec4 sum = AGAIN == 0u && INNER != 0u && ACROSS == 0u ? sum_lines(cell, chunk) : sum_terms(cell, chunk);
    if (LAST == 0u) {
        partial[item] = sum;
        return;
    }
    if (ACROSS != 0u) sum = vec4(sum.x + sum.y + sum.z + sum.w, 0.0, 0.0, 0.0);
    y[cell] = quad_store(sum);
}

EACH_ITEM(compute_item)
