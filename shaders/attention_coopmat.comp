// SPDX-License-Identifier: MIT
// y = softmax(scale q k^T) v per head as attention.comp, with cooperative matrices. A subgroup holds the outputs of
// FRAGMENTS times MATRIX_M queries as matrices. The workgroup stages KEYS keys and values at a time in shared memory.
// Values are transposed, so that matrices of both are loaded by whole units.
// Scores go through shared memory for the softmax, whose rows are shared by the subgroup's lanes. They return as the
// f16 or bf16 matrix that multiplies v. Outputs are scaled to a new maximum by a matrix whose rows are all one factor.
//
// Matrices are only ever indexed by constants, and loops around them contain no loop that stays one. Otherwise drivers
// keep the matrices in memory.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/half.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint MATRIX_M = 16; // of the device's matrices
layout(constant_id = 4) const uint MATRIX_N = 16;
layout(constant_id = 5) const uint MATRIX_K = 16;
layout(constant_id = 6) const uint SUBGROUP = 32;  // lanes; a multiple of MATRIX_M
layout(constant_id = 7) const uint GROUPS = 4;     // subgroups of the workgroup
layout(constant_id = 8) const uint FRAGMENTS = 1;
layout(constant_id = 9) const uint KEYS = 32;      // a multiple of MATRIX_N, MATRIX_K and four times PER_ROW
layout(constant_id = 10) const uint HEAD = 64;     // channels of a head, rounded up to a multiple of 8, MATRIX_N, MATRIX_K
layout(constant_id = 11) const uint SHARED = 2048; // 16-byte units of shared memory
layout(constant_id = 12) const uint CAUSAL = 0;
layout(constant_id = 13) const uint WIDE = 0;      // 1: a head is whole units of 16 bytes
layout(constant_id = 14) const uint SLAB = 512; // units of a subgroup's own part
layout(constant_id = 15) const uint HOLD = 1;      // 1: queries stay in registers, 0: in shared memory

const float LOWEST = -3.0e38; // as attention
const uint THREADS = SUBGROUP * GROUPS;
const uint PER_ROW = SUBGROUP / MATRIX_M; // lanes that share a row of scores
const uint ROW_QUADS = KEYS / (4u * PER_ROW); // of a lane's share
// Units of eight elements (16 bytes), with one between rows, and after a matrix of values, to keep them in different banks.
const uint HEAD_UNITS = HEAD / 8u;
const uint STRIDE = HEAD_UNITS + 1u;    // of a query or a key
const uint V_STRIDE = KEYS / 8u + 1u;   // of a channel of the values
const uint V_AT = KEYS * STRIDE;
const uint SLABS_AT = V_AT + HEAD * V_STRIDE + HEAD / MATRIX_N;
const uint Q_UNITS = GROUPS * FRAGMENTS * MATRIX_M * HEAD_UNITS;
const uint Q_AT = (1u - HOLD) * (SLABS_AT + GROUPS * SLAB); // held ones pass through before anything else
// The share of an invocation in staging: units of keys, and pairs of units of values, one below the other.
const uint K_EACH = (KEYS * HEAD_UNITS + THREADS - 1u) / THREADS;
const uint V_EACH = (KEYS / 2u * HEAD_UNITS + THREADS - 1u) / THREADS;
// A subgroup's own part: scores of one fragment, working values, and the scores as f16 or bf16 of each fragment.
const uint SCORE_STRIDE = KEYS / 4u + 1u;
const uint PASS_STRIDE = MATRIX_N / 4u + 1u;
const uint WEIGHT_STRIDE = KEYS / 8u + 1u;
const uint PASS_AT = MATRIX_M * SCORE_STRIDE;
const uint WEIGHTS_AT = PASS_AT + MATRIX_M * PASS_STRIDE;
const uint PASS_EACH = (MATRIX_N / 4u + PER_ROW - 1u) / PER_ROW; // quads of a row of a matrix for a lane
const uint OUTPUTS = HEAD / MATRIX_N;

layout(set = 0, binding = 0) readonly buffer Q { uvec2 q[]; };
layout(set = 0, binding = 0) readonly buffer QWide { uvec4 q_wide[]; };
layout(set = 0, binding = 1) readonly buffer Keys { uvec2 keys[]; };
layout(set = 0, binding = 1) readonly buffer KeysWide { uvec4 keys_wide[]; };
layout(set = 0, binding = 2) readonly buffer V { uvec2 v[]; };
layout(set = 0, binding = 2) readonly buffer VWide { uvec4 v_wide[]; };
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "attention.pc.h"

shared uvec4 memory[SHARED];

#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define LEFT coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define RIGHT coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>

// Returns the unit at quad 2 c of the head that starts at quad `at` of a buffer, zero past the head.
#define HEAD_UNIT(buffer, wide, at, c)                                       \
    (2u * (c) >= head_quads ? uvec4(0u)                                      \
     : WIDE != 0u           ? wide[((at) + 2u * (c)) / 2u]                   \
                            : uvec4(buffer[(at) + 2u * (c)],                 \
                                    2u * (c) + 1u < head_quads ? buffer[(at) + 2u * (c) + 1u] : uvec2(0u)))

// Reduces over the lanes that share a row: the maximum, or the sum.
float row_max(float x) {
    [[unroll]] for (uint i = 1u; i < PER_ROW; i *= 2u) x = max(x, subgroupShuffleXor(x, i));
    return x;
}
float row_sum(float x) {
    [[unroll]] for (uint i = 1u; i < PER_ROW; i *= 2u) x += subgroupShuffleXor(x, i);
    return x;
}

uint row_quads;        // quads of a token
uint q_at, k_at, v_at; // of the tile's first query, and of the head's first key and value

void stage_queries(uint tile_first) {
    [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < Q_UNITS; i += THREADS) {
        uint query = min(tile_first + i / HEAD_UNITS, queries - 1u), c = i % HEAD_UNITS;
        memory[Q_AT + i / HEAD_UNITS * STRIDE + c] = HEAD_UNIT(q, q_wide, q_at + query * row_quads, c);
    }
}

// Keys and values are read in groups and stored afterwards, so that nothing waits for each. (All at once takes CPU
// drivers too long to compile.)
const uint BATCH = 2u;

void stage_keys(uint first) {
    for (uint done = 0u; done < K_EACH; done += BATCH) {
        uvec4 units[BATCH];
        [[unroll]] for (uint j = 0u; j < BATCH; j++) {
            uint i = (done + j) * THREADS + gl_LocalInvocationID.x, key = min(first + i / HEAD_UNITS, tokens_k - 1u);
            if (done + j < K_EACH) units[j] = HEAD_UNIT(keys, keys_wide, k_at + key * row_quads, i % HEAD_UNITS);
        }
        [[unroll]] for (uint j = 0u; j < BATCH; j++) {
            uint i = (done + j) * THREADS + gl_LocalInvocationID.x;
            if (done + j < K_EACH && (KEYS * HEAD_UNITS % THREADS == 0u || i < KEYS * HEAD_UNITS))
                memory[i / HEAD_UNITS * STRIDE + i % HEAD_UNITS] = units[j];
        }
    }
}

// Values past the last one are zero, as their weights are.
uvec4 value_unit(uint key, uint c) {
    uvec4 u = HEAD_UNIT(v, v_wide, v_at + min(key, tokens_k - 1u) * row_quads, c);
    return key < tokens_k ? u : uvec4(0u);
}

// Transposes two keys of eight channels to eight channels of two keys.
void stage_values(uint first) {
    for (uint j = 0u; j < V_EACH; j++) {
        uint i = j * THREADS + gl_LocalInvocationID.x, pair = i / HEAD_UNITS, d = i % HEAD_UNITS * 8u;
        uvec4 above = value_unit(first + 2u * pair, i % HEAD_UNITS);
        uvec4 below = value_unit(first + 2u * pair + 1u, i % HEAD_UNITS);
        if (KEYS / 2u * HEAD_UNITS % THREADS != 0u && i >= KEYS / 2u * HEAD_UNITS) continue;
        uint to = V_AT + d * V_STRIDE + d / MATRIX_N + pair / 4u;
        [[unroll]] for (uint word = 0u; word < 4u; word++) {
            uint x = above[word], y = below[word];
            memory[to + 2u * word * V_STRIDE][pair % 4u] = bitfieldInsert(x, y, 16, 16);
            memory[to + (2u * word + 1u) * V_STRIDE][pair % 4u] = bitfieldInsert(y, x >> 16, 0, 16);
        }
    }
}

LEFT queries_of[FRAGMENTS * (HEAD / MATRIX_K)];
SUMS sums[FRAGMENTS * OUTPUTS];
float top[FRAGMENTS], total[FRAGMENTS]; // of the lane's row: the largest score and the sum of exp2(score - top)

void score(uint f, uint q_own, uint slab) {
    SUMS scores[KEYS / MATRIX_N];
    [[unroll]] for (uint n = 0u; n < KEYS / MATRIX_N; n++) scores[n] = SUMS(0.0);
    [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_K; d++) {
        LEFT a;
        if (HOLD != 0u) a = queries_of[f * (HEAD / MATRIX_K) + d];
        else coopMatLoad(a, memory, q_own + f * MATRIX_M * STRIDE + d * MATRIX_K / 8u, STRIDE,
                         gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0u; n < KEYS / MATRIX_N; n++) {
            RIGHT b;
            coopMatLoad(b, memory, n * MATRIX_N * STRIDE + d * MATRIX_K / 8u, STRIDE,
                        gl_CooperativeMatrixLayoutColumnMajor);
            scores[n] = coopMatMulAdd(a, b, scores[n]);
        }
    }
    [[unroll]] for (uint n = 0u; n < KEYS / MATRIX_N; n++)
        coopMatStore(scores[n], memory, slab + n * MATRIX_N / 4u, SCORE_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
}

// Computes the softmax over quads lane_part, lane_part + PER_ROW, … of the lane's row: the weights, and the factor for
// the earlier sums.
void weigh(uint f, uint slab, uint first, uint query) {
    uint lane_row = gl_SubgroupInvocationID / PER_ROW, lane_part = gl_SubgroupInvocationID % PER_ROW;
    uint last = CAUSAL != 0u ? min(tokens_k - 1u, query) : tokens_k - 1u;
    float unit = scale * 1.44269504; // exp2 from here on
    vec4 p[ROW_QUADS];
    float largest = top[f], sum = 0.0;
    [[unroll]] for (uint i = 0u; i < ROW_QUADS; i++) {
        uint quad = i * PER_ROW + lane_part, key = first + 4u * quad;
        vec4 s = uintBitsToFloat(memory[slab + lane_row * SCORE_STRIDE + quad]) * unit;
        // Infinite scores become the largest finite ones; NaN stays NaN.
        s = mix(s, sign(s) * -LOWEST, greaterThan(abs(s), vec4(-LOWEST)));
        p[i] = mix(vec4(LOWEST), s, lessThanEqual(uvec4(key, key + 1u, key + 2u, key + 3u), uvec4(last)));
        largest = max(largest, max(max(p[i].x, p[i].y), max(p[i].z, p[i].w)));
    }
    largest = row_max(largest);
    float correction = exp2(top[f] - largest);
    [[unroll]] for (uint i = 0u; i < ROW_QUADS; i++) {
        uint quad = i * PER_ROW + lane_part, key = first + 4u * quad;
        vec4 e = mix(vec4(0.0), exp2(p[i] - largest),
                     lessThanEqual(uvec4(key, key + 1u, key + 2u, key + 3u), uvec4(last)));
        uvec2 weight = half_store(e);
        e = half_load(weight); // the sum is of what multiplies v
        sum += (e.x + e.y) + (e.z + e.w);
        // Word by word: another lane may write the other half of the unit.
        uint at = slab + WEIGHTS_AT + (f * MATRIX_M + lane_row) * WEIGHT_STRIDE + quad / 2u, word = quad % 2u * 2u;
        memory[at][word] = weight.x;
        memory[at][word + 1u] = weight.y;
    }
    [[unroll]] for (uint j = 0u; j < PASS_EACH; j++) {
        uint i = j * PER_ROW + lane_part;
        if (MATRIX_N / 4u % PER_ROW == 0u || i < MATRIX_N / 4u)
            memory[slab + PASS_AT + lane_row * PASS_STRIDE + i] = floatBitsToUint(vec4(correction));
    }
    top[f] = largest;
    total[f] = total[f] * correction + row_sum(sum);
}

void add_values(uint slab) {
    [[unroll]] for (uint k = 0u; k < KEYS / MATRIX_K; k++) {
        LEFT weights[FRAGMENTS];
        [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++)
            coopMatLoad(weights[f], memory, slab + WEIGHTS_AT + f * MATRIX_M * WEIGHT_STRIDE + k * MATRIX_K / 8u,
                        WEIGHT_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint d = 0u; d < OUTPUTS; d++) {
            RIGHT b;
            coopMatLoad(b, memory, V_AT + d * (MATRIX_N * V_STRIDE + 1u) + k * MATRIX_K / 8u, V_STRIDE,
                        gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++)
                sums[f * OUTPUTS + d] = coopMatMulAdd(weights[f], b, sums[f * OUTPUTS + d]);
        }
    }
}

// Output matrix number `number` of the subgroup's, row by row: query `query` of the dispatch is the lane's in fragment 0.
void put(uint number, uint slab, uint query, uint head_at, float inverse) {
    uint lane_row = gl_SubgroupInvocationID / PER_ROW, lane_part = gl_SubgroupInvocationID % PER_ROW;
    uint at = head_at + query * row_quads;
    [[unroll]] for (uint j = 0u; j < PASS_EACH; j++) {
        uint i = j * PER_ROW + lane_part, quad = number % OUTPUTS * MATRIX_N / 4u + i;
        if (query < queries && quad < head_quads && i < MATRIX_N / 4u)
            y[at + quad] = quad_store(uintBitsToFloat(memory[slab + PASS_AT + lane_row * PASS_STRIDE + i]) * inverse);
    }
}

void main() {
    row_quads = heads * head_quads;
    uint group = group_index();
    uint tile = group % tiles, head = group / tiles % heads, batch = group / (tiles * heads);
    if (batch >= batches) return;
    uint slab = SLABS_AT + gl_SubgroupID * SLAB, lane_row = gl_SubgroupInvocationID / PER_ROW;
    uint tile_first = tile * GROUPS * FRAGMENTS * MATRIX_M; // query of the dispatch
    uint my_first = tile_first + gl_SubgroupID * FRAGMENTS * MATRIX_M;
    uint q_own = Q_AT + gl_SubgroupID * FRAGMENTS * MATRIX_M * STRIDE;
    q_at = q_skip + batch * queries * row_quads + head * head_quads;
    k_at = k_skip + batch * tokens_k * row_quads + head * head_quads;
    v_at = v_skip + batch * tokens_k * row_quads + head * head_quads;

    stage_queries(tile_first);
    if (HOLD != 0u) {
        shared_barrier();
        [[unroll]] for (uint i = 0u; i < FRAGMENTS * (HEAD / MATRIX_K); i++)
            coopMatLoad(queries_of[i], memory,
                        q_own + i / (HEAD / MATRIX_K) * MATRIX_M * STRIDE + i % (HEAD / MATRIX_K) * MATRIX_K / 8u, STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
        shared_barrier();
    }
    [[unroll]] for (uint i = 0u; i < FRAGMENTS * OUTPUTS; i++) sums[i] = SUMS(0.0);
    [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++) {
        top[f] = LOWEST;
        total[f] = 0.0;
    }

    // A causal mask excludes all keys after the tile's last query.
    uint end = tokens_k;
    if (CAUSAL != 0u) end = min(end, first_query + tile_first + GROUPS * FRAGMENTS * MATRIX_M);
    for (uint first = 0u; first < end; first += KEYS) {
        stage_keys(first);
        stage_values(first);
        shared_barrier();
        [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++) {
            score(f, q_own, slab);
            own_barrier();
            weigh(f, slab, first, first_query + my_first + f * MATRIX_M + lane_row);
            own_barrier();
            SUMS corrections;
            coopMatLoad(corrections, memory, slab + PASS_AT, PASS_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint d = 0u; d < OUTPUTS; d++) sums[f * OUTPUTS + d] = sums[f * OUTPUTS + d] * corrections;
        }
        add_values(slab);
        shared_barrier();
    }

    uint head_at = y_skip + batch * queries * row_quads + head * head_quads;
    [[dont_unroll]] for (uint number = 0u; number < FRAGMENTS * OUTPUTS; number++) {
        float sum = 0.0;
        [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++) sum = number / OUTPUTS == f ? total[f] : sum;
        [[unroll]] for (uint i = 0u; i < FRAGMENTS * OUTPUTS; i++)
            if (i == number) coopMatStore(sums[i], memory, slab + PASS_AT, PASS_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        own_barrier();
        put(number, slab, my_first + number / OUTPUTS * MATRIX_M + lane_row, head_at, 1.0 / sum);
        own_barrier();
    }
}
