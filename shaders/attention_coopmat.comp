// y = softmax(scale q k^T) v per head as attention, by cooperative matrices. A subgroup holds FRAGMENTS times MATRIX_M
// queries and their outputs as matrices; the workgroup stages KEYS keys and values at a time in shared memory. Scores go
// through shared memory for the softmax, whose rows are shared by the subgroup's lanes, and return as the f16 or bf16
// matrix that multiplies v. Outputs are scaled to a new maximum by a matrix whose rows are all one factor.
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

const float LOWEST = -3.0e38; // as attention

const uint THREADS = SUBGROUP * GROUPS;
const uint PER_ROW = SUBGROUP / MATRIX_M; // lanes that share a row of scores
const uint ROW_QUADS = KEYS / (4u * PER_ROW); // of a lane's share
// Units of eight elements (16 bytes), with one between rows to keep them in different banks.
const uint HEAD_UNITS = HEAD / 8u;
const uint STRIDE = HEAD_UNITS + 1u;
const uint KV_UNITS = KEYS * STRIDE;
// Each subgroup's own part: queries at first, then scores, the same as f16 or bf16, and what else passes.
const uint SCORE_STRIDE = KEYS / 4u + 1u;
const uint WEIGHT_STRIDE = KEYS / 8u + 1u;
const uint PASS_STRIDE = MATRIX_N / 4u + 1u;
const uint PASS_AT = MATRIX_M * SCORE_STRIDE;
layout(constant_id = 14) const uint SLAB = 512; // units of it

layout(set = 0, binding = 0) readonly buffer Q { uvec2 q[]; };
layout(set = 0, binding = 0) readonly buffer QWide { uvec4 q_wide[]; };
layout(set = 0, binding = 1) readonly buffer Keys { uvec2 keys[]; };
layout(set = 0, binding = 1) readonly buffer KeysWide { uvec4 keys_wide[]; };
layout(set = 0, binding = 2) readonly buffer V { uvec2 v[]; };
layout(set = 0, binding = 2) readonly buffer VWide { uvec4 v_wide[]; };
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

layout(push_constant) uniform Push {
    uint queries;     // of a batch in this dispatch
    uint first_query; // their first
    uint batches;
    uint tiles;       // workgroups along the queries
    uint q_skip, k_skip, v_skip, y_skip;
    float scale;
    uint heads, head_quads; // quads of a head
    uint tokens_k;
};

shared uvec4 memory[SHARED];

#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>

// The unit at quad 2 c of the head that starts at quad `at` of a buffer: what lies past the head is zero.
#define HEAD_UNIT(buffer, wide, at, c)                                       \
    (2u * (c) >= head_quads ? uvec4(0u)                                      \
     : WIDE != 0u           ? wide[((at) + 2u * (c)) / 2u]                   \
                            : uvec4(buffer[(at) + 2u * (c)],                 \
                                    2u * (c) + 1u < head_quads ? buffer[(at) + 2u * (c) + 1u] : uvec2(0u)))

// The largest, or the sum, over the lanes that share a row.
float row_max(float x) {
    [[unroll]] for (uint i = 1u; i < PER_ROW; i *= 2u) x = max(x, subgroupShuffleXor(x, i));
    return x;
}
float row_sum(float x) {
    [[unroll]] for (uint i = 1u; i < PER_ROW; i *= 2u) x += subgroupShuffleXor(x, i);
    return x;
}

void main() {
    uint row_quads = heads * head_quads; // quads of a token
    uint group = group_index();
    uint tile = group % tiles, head = group / tiles % heads, batch = group / (tiles * heads);
    if (batch >= batches) return;
    uint lane = gl_SubgroupInvocationID, lane_row = lane / PER_ROW, lane_part = lane % PER_ROW;
    uint slab = 2u * KV_UNITS + gl_SubgroupID * SLAB;
    uint tile_first = tile * GROUPS * FRAGMENTS * MATRIX_M; // query of the dispatch
    uint my_first = tile_first + gl_SubgroupID * FRAGMENTS * MATRIX_M;

    coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> queries_of[FRAGMENTS * (HEAD / MATRIX_K)];
    SUMS sums[FRAGMENTS * (HEAD / MATRIX_N)];
    float top[FRAGMENTS], total[FRAGMENTS]; // of the lane's row: the largest score and the sum of exp(score - top)
    [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++) {
        for (uint i = lane; i < MATRIX_M * HEAD_UNITS; i += SUBGROUP) {
            uint query = min(my_first + f * MATRIX_M + i / HEAD_UNITS, queries - 1u);
            uint at = q_skip + (batch * queries + query) * row_quads + head * head_quads;
            memory[slab + i / HEAD_UNITS * STRIDE + i % HEAD_UNITS] = HEAD_UNIT(q, q_wide, at, i % HEAD_UNITS);
        }
        barrier();
        [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_K; d++)
            coopMatLoad(queries_of[f * (HEAD / MATRIX_K) + d], memory, slab + d * MATRIX_K / 8u, STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_N; d++) sums[f * (HEAD / MATRIX_N) + d] = SUMS(0.0);
        top[f] = LOWEST;
        total[f] = 0.0;
    }

    // With a causal mask no key after the tile's last query counts.
    uint end = tokens_k;
    if (CAUSAL != 0u) end = min(end, first_query + tile_first + GROUPS * FRAGMENTS * MATRIX_M);
    for (uint first = 0u; first < end; first += KEYS) {
        for (uint i = gl_LocalInvocationID.x; i < KEYS * HEAD_UNITS; i += THREADS) {
            uint key = first + i / HEAD_UNITS, c = i % HEAD_UNITS, to = i / HEAD_UNITS * STRIDE + c;
            uint at = (batch * tokens_k + min(key, tokens_k - 1u)) * row_quads + head * head_quads;
            bool there = key < tokens_k;
            memory[to] = there ? HEAD_UNIT(keys, keys_wide, k_skip + at, c) : uvec4(0u);
            memory[KV_UNITS + to] = there ? HEAD_UNIT(v, v_wide, v_skip + at, c) : uvec4(0u);
        }
        barrier();

        coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> weights[FRAGMENTS * (KEYS / MATRIX_K)];
        [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++) {
            [[unroll]] for (uint n = 0u; n < KEYS / MATRIX_N; n++) {
                SUMS scores = SUMS(0.0);
                [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_K; d++) {
                    coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
                    coopMatLoad(b, memory, n * MATRIX_N * STRIDE + d * MATRIX_K / 8u, STRIDE,
                                gl_CooperativeMatrixLayoutColumnMajor);
                    scores = coopMatMulAdd(queries_of[f * (HEAD / MATRIX_K) + d], b, scores);
                }
                coopMatStore(scores, memory, slab + n * MATRIX_N / 4u, SCORE_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
            }
            subgroupMemoryBarrierShared();
            subgroupBarrier();

            // Softmax: the lane's share of its row, quads lane_part, lane_part + PER_ROW, … of it.
            vec4 p[ROW_QUADS];
            uint query = first_query + my_first + f * MATRIX_M + lane_row;
            float largest = top[f];
            [[unroll]] for (uint i = 0u; i < ROW_QUADS; i++) {
                uint quad = i * PER_ROW + lane_part, key = first + 4u * quad;
                vec4 s = uintBitsToFloat(memory[slab + lane_row * SCORE_STRIDE + quad]) * scale;
                // Infinite scores become the largest finite ones; NaN stays NaN.
                s = mix(s, sign(s) * -LOWEST, greaterThan(abs(s), vec4(-LOWEST)));
                uint last = CAUSAL != 0u ? min(tokens_k - 1u, query) : tokens_k - 1u;
                p[i] = mix(vec4(LOWEST), s, lessThanEqual(uvec4(key, key + 1u, key + 2u, key + 3u), uvec4(last)));
                largest = max(largest, max(max(p[i].x, p[i].y), max(p[i].z, p[i].w)));
            }
            largest = row_max(largest);
            float correction = exp(top[f] - largest), sum = 0.0;
            subgroupMemoryBarrierShared();
            subgroupBarrier(); // all scores are read: their memory takes the weights
            [[unroll]] for (uint i = 0u; i < ROW_QUADS; i++) {
                uint quad = i * PER_ROW + lane_part, key = first + 4u * quad;
                uint last = CAUSAL != 0u ? min(tokens_k - 1u, query) : tokens_k - 1u;
                vec4 e = mix(vec4(0.0), exp(p[i] - largest),
                             lessThanEqual(uvec4(key, key + 1u, key + 2u, key + 3u), uvec4(last)));
                uvec2 weight = half_store(e);
                e = half_load(weight); // the sum is of what multiplies v
                sum += (e.x + e.y) + (e.z + e.w);
                // Word by word: another lane may write the other half of the unit.
                uint unit = slab + lane_row * WEIGHT_STRIDE + quad / 2u, word = quad % 2u * 2u;
                memory[unit][word] = weight.x;
                memory[unit][word + 1u] = weight.y;
            }
            for (uint i = lane_part; i < MATRIX_N / 4u; i += PER_ROW)
                memory[slab + PASS_AT + lane_row * PASS_STRIDE + i] = floatBitsToUint(vec4(correction));
            top[f] = largest;
            total[f] = total[f] * correction + row_sum(sum);
            subgroupMemoryBarrierShared();
            subgroupBarrier();

            [[unroll]] for (uint k = 0u; k < KEYS / MATRIX_K; k++)
                coopMatLoad(weights[f * (KEYS / MATRIX_K) + k], memory, slab + k * MATRIX_K / 8u, WEIGHT_STRIDE,
                            gl_CooperativeMatrixLayoutRowMajor);
            SUMS corrections;
            coopMatLoad(corrections, memory, slab + PASS_AT, PASS_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_N; d++)
                sums[f * (HEAD / MATRIX_N) + d] = sums[f * (HEAD / MATRIX_N) + d] * corrections;
            subgroupMemoryBarrierShared();
            subgroupBarrier();
        }

        [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_N; d++) {
            [[unroll]] for (uint k = 0u; k < KEYS / MATRIX_K; k++) {
                coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
                coopMatLoad(b, memory, KV_UNITS + k * MATRIX_K * STRIDE + d * MATRIX_N / 8u, STRIDE,
                            gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++)
                    sums[f * (HEAD / MATRIX_N) + d] = coopMatMulAdd(weights[f * (KEYS / MATRIX_K) + k], b,
                                                                    sums[f * (HEAD / MATRIX_N) + d]);
            }
        }
        barrier();
    }

    [[unroll]] for (uint f = 0u; f < FRAGMENTS; f++) {
        uint query = my_first + f * MATRIX_M + lane_row;
        uint at = y_skip + (batch * queries + query) * row_quads + head * head_quads;
        float inverse = 1.0 / total[f];
        [[unroll]] for (uint d = 0u; d < HEAD / MATRIX_N; d++) {
            coopMatStore(sums[f * (HEAD / MATRIX_N) + d], memory, slab + PASS_AT, PASS_STRIDE,
                         gl_CooperativeMatrixLayoutRowMajor);
            subgroupMemoryBarrierShared();
            subgroupBarrier();
            for (uint i = lane_part; i < MATRIX_N / 4u; i += PER_ROW) {
                vec4 o = uintBitsToFloat(memory[slab + PASS_AT + lane_row * PASS_STRIDE + i]) * inverse;
                uint quad = d * MATRIX_N / 4u + i;
                if (query < queries && quad < head_quads) y[at + quad] = quad_store(o);
            }
            subgroupMemoryBarrierShared();
            subgroupBarrier();
        }
    }
}
