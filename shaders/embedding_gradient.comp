// SPDX-License-Identifier: MIT
// dtable[row] = the sum of dy[n] over the ids n that took the row. The order of the sum is that of the ids, without
// atomics, so equal runs give equal bits. One invocation per quad of the table looks at all ids. A table of more rows
// than ids is cleared first. Then one invocation per quad of dy sums for the first id of each row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

#define EACH_ROW 0
#define CLEAR 1
#define EACH_ID 2

layout(constant_id = 3) const uint PASS = EACH_ROW;

layout(set = 0, binding = 0) readonly buffer Ids { int ids[]; };
layout(set = 0, binding = 1) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 2) writeonly buffer Table { QUAD table[]; };

#include "embedding_gradient.pc.h"

int row_at(uint n) { return clamp(ids[n / tokens * ids_row + n % tokens], 0, last); }

// Returns the sum of quad q over the ids from `from` on that took the row.
vec4 sum_of(int row, uint q, uint from) {
    vec4 sum = vec4(0.0);
    for (uint n = from; n < count; n++)
        if (row_at(n) == row) sum += quad_load(dy[n * row_quads + q]);
    return sum;
}

// True if an id before `to` took the row.
bool is_taken(int row, uint to) {
    for (uint n = 0u; n < to; n++)
        if (row_at(n) == row) return true;
    return false;
}

void main() {
    uint i = item_index(), q = i % row_quads;
    if (PASS == EACH_ID) {
        uint n = i / row_quads;
        if (n >= count) return;
        int row = row_at(n), within = row - first;
        if (within < 0 || uint(within) * row_quads >= quads || is_taken(row, n)) return;
        table[skip + uint(within) * row_quads + q] = quad_store(sum_of(row, q, n));
    } else if (i < quads) {
        table[skip + i] = quad_store(PASS == CLEAR ? vec4(0.0) : sum_of(first + int(i / row_quads), q, 0u));
    }
}
