// SPDX-License-Identifier: MIT
// y = softmax(scale q k^T) v per head with tiles in shared memory, after Dao et al., "FlashAttention" (2022).
// A workgroup takes BQ queries of one head and goes over the keys BK at a time. LANES neighbouring invocations share
// ROWS queries, each scoring some of the keys and holding some of the outputs. All lanes of a query know its running
// maximum m and sum l. They exchange their maxima and their exp(score - m) through shared memory, so nothing depends on
// the subgroup size. Tiles keep values in the storage type, and arithmetic is f32. If a head is too wide for that,
// tiles hold a CHUNK of its channels at a time.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint LANES = 4;
layout(constant_id = 4) const uint ROWS = 4;
layout(constant_id = 5) const uint BK = 16;        // a multiple of LANES and of 4
layout(constant_id = 6) const uint HEAD_QUADS = 16; // quads of a head
layout(constant_id = 7) const uint COLS = 4;       // quads of output of an invocation: COLS LANES cover a head
layout(constant_id = 8) const uint THREADS = 128;  // as the workgroup's size
layout(constant_id = 9) const uint CAUSAL = 0;
layout(constant_id = 10) const uint CHUNK = 16; // quads of a head in shared memory at once: all, or a multiple of LANES
layout(constant_id = 11) const uint V_AT = 0;   // where values lie behind keys; 0: in their place, with several chunks

const float LOWEST = -3.0e38; // below every score, and finite: differences of it are never NaN

layout(set = 0, binding = 0) readonly buffer Q { QUAD q[]; };
layout(set = 0, binding = 1) readonly buffer Keys { QUAD keys[]; };
layout(set = 0, binding = 2) readonly buffer V { QUAD v[]; };
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "attention.pc.h"

// Four elements in shared memory. Halves are pairs of bits, so that 16-bit storage is enough.
#if defined(STORAGE_F16)
#define TILE uvec2
uvec2 tile_pack(vec4 x) { return uvec2(packHalf2x16(x.xy), packHalf2x16(x.zw)); }
vec4 tile_load(uvec2 t) { return vec4(unpackHalf2x16(t.x), unpackHalf2x16(t.y)); }
#elif defined(STORAGE_BF16)
#define TILE uvec2
uvec2 tile_pack(vec4 x) { return quad_store(x); }
vec4 tile_load(uvec2 t) { return quad_load(t); }
#else
#define TILE vec4
vec4 tile_pack(vec4 x) { return x; }
vec4 tile_load(vec4 t) { return t; }
#endif

const uint GROUPS = THREADS / LANES; // of lanes
const uint BQ = GROUPS * ROWS;
const uint KEYS = BK / LANES; // keys of an invocation
const uint CHUNKS = (HEAD_QUADS + CHUNK - 1u) / CHUNK;
const uint CHUNK_COLS = COLS / CHUNKS;
const uint STRIDE = CHUNK + 1u; // quads of a row of a tile: one more, against bank conflicts
const uint P_STRIDE = BK / 4u + 1u;
const uint Q_SIZE = BQ * STRIDE;
const uint KV_SIZE = V_AT + BK * STRIDE;
const uint P_SIZE = BQ * P_STRIDE;
const uint MAX_SIZE = BQ * LANES;

shared TILE tile_q[Q_SIZE];
shared TILE tile_kv[KV_SIZE];
shared vec4 weights[P_SIZE];  // exp(score - m), keys in quads
shared float maxima[MAX_SIZE]; // of each lane's scores

uint lane() { return gl_LocalInvocationID.x % LANES; }
uint row_of(uint r) { return gl_LocalInvocationID.x / LANES + r * GROUPS; }

uint row, q_at, k_at, v_at, rows_left; // quads of a token; where the tile's queries and the head's keys and values begin

// Stages a chunk of the channels, with zeros past the last.
void fetch_q(uint chunk) {
    for (uint i = gl_LocalInvocationID.x; i < BQ * CHUNK; i += THREADS) {
        uint r = i / CHUNK, d = i - r * CHUNK, from = chunk * CHUNK + d;
        vec4 x = vec4(0.0);
        if (from < HEAD_QUADS) x = quad_load(q[q_at + min(r, rows_left - 1u) * row + from]);
        tile_q[r * STRIDE + d] = tile_pack(x);
    }
}

// Stages keys from `first` on, with zeros past the last.
void fetch_k(uint first, uint chunk) {
    for (uint i = gl_LocalInvocationID.x; i < BK * CHUNK; i += THREADS) {
        uint j = i / CHUNK, d = i - j * CHUNK, from = chunk * CHUNK + d;
        vec4 x = vec4(0.0);
        if (first + j < tokens_k && from < HEAD_QUADS) x = quad_load(keys[k_at + (first + j) * row + from]);
        tile_kv[j * STRIDE + d] = tile_pack(x);
    }
}

void fetch_v(uint first, uint chunk) {
    for (uint i = gl_LocalInvocationID.x; i < BK * CHUNK; i += THREADS) {
        uint j = i / CHUNK, d = i - j * CHUNK, from = chunk * CHUNK + d;
        vec4 x = vec4(0.0);
        if (first + j < tokens_k && from < HEAD_QUADS) x = quad_load(v[v_at + (first + j) * row + from]);
        tile_kv[V_AT + j * STRIDE + d] = tile_pack(x);
    }
}

float s[ROWS][KEYS];
float m[ROWS], l[ROWS], correction[ROWS];
vec4 acc[ROWS][COLS];

// The loops over channels and over keys stay loops. Unrolled, Intel's compiler spills up to 160 registers.
void add_products() {
    [[dont_unroll]] for (uint d = 0u; d < CHUNK; d++) {
        vec4 a[ROWS];
        [[unroll]] for (uint r = 0u; r < ROWS; r++) a[r] = tile_load(tile_q[row_of(r) * STRIDE + d]);
        [[unroll]] for (uint j = 0u; j < KEYS; j++) {
            vec4 b = tile_load(tile_kv[(lane() + j * LANES) * STRIDE + d]);
            [[unroll]] for (uint r = 0u; r < ROWS; r++)
                s[r][j] = fma(a[r].w, b.w, fma(a[r].z, b.z, fma(a[r].y, b.y, fma(a[r].x, b.x, s[r][j]))));
        }
    }
}

// Computes the masked scores, and the largest of each lane's.
void mask(uint tile_first, uint first) {
    [[unroll]] for (uint r = 0u; r < ROWS; r++) {
        float top = LOWEST;
        [[unroll]] for (uint j = 0u; j < KEYS; j++) {
            uint key = first + lane() + j * LANES;
            bool counts = key < tokens_k && (CAUSAL == 0u || key <= first_query + tile_first + row_of(r));
            s[r][j] = counts ? s[r][j] * scale : LOWEST;
            top = max(top, s[r][j]);
        }
        maxima[row_of(r) * LANES + lane()] = top;
    }
}

void weigh() {
    [[unroll]] for (uint r = 0u; r < ROWS; r++) {
        float top = m[r];
        for (uint i = 0u; i < LANES; i++) top = max(top, maxima[row_of(r) * LANES + i]);
        correction[r] = exp(m[r] - top);
        m[r] = top;
        [[unroll]] for (uint j = 0u; j < KEYS; j++) {
            uint key = lane() + j * LANES;
            // Masked scores are LOWEST exactly. NaN is not, and stays.
            weights[row_of(r) * P_STRIDE + key / 4u][key % 4u] = s[r][j] != LOWEST ? exp(s[r][j] - top) : 0.0;
        }
    }
}

void correct() {
    [[unroll]] for (uint r = 0u; r < ROWS; r++) {
        l[r] *= correction[r];
        [[unroll]] for (uint c = 0u; c < COLS; c++) acc[r][c] *= correction[r];
        for (uint j = 0u; j < BK / 4u; j++) l[r] += dot(weights[row_of(r) * P_STRIDE + j], vec4(1.0));
    }
}

void add_values(uint chunk) {
    [[dont_unroll]] for (uint j = 0u; j < BK / 4u; j++) {
        vec4 p[ROWS];
        [[unroll]] for (uint r = 0u; r < ROWS; r++) p[r] = weights[row_of(r) * P_STRIDE + j];
        [[unroll]] for (uint c = 0u; c < CHUNK_COLS; c++) {
            uint at = V_AT + 4u * j * STRIDE + min(lane() + c * LANES, CHUNK - 1u), to = chunk * CHUNK_COLS + c;
            vec4 b0 = tile_load(tile_kv[at]), b1 = tile_load(tile_kv[at + STRIDE]);
            vec4 b2 = tile_load(tile_kv[at + 2u * STRIDE]), b3 = tile_load(tile_kv[at + 3u * STRIDE]);
            [[unroll]] for (uint r = 0u; r < ROWS; r++) {
                vec4 sum = fma(vec4(p[r].x), b0, acc[r][to]);
                sum = fma(vec4(p[r].y), b1, sum);
                sum = fma(vec4(p[r].z), b2, sum);
                acc[r][to] = fma(vec4(p[r].w), b3, sum);
            }
        }
    }
}

// Computes one step: BK keys.
void step_whole(uint tile_first, uint first) {
    fetch_k(first, 0u);
    fetch_v(first, 0u);
    barrier();
    add_products();
    mask(tile_first, first);
    barrier();
    weigh();
    barrier();
    correct();
    add_values(0u);
    barrier();
}

void step_in_chunks(uint tile_first, uint first) {
    for (uint chunk = 0u; chunk < CHUNKS; chunk++) {
        fetch_q(chunk);
        fetch_k(first, chunk);
        barrier();
        add_products();
        barrier();
    }
    mask(tile_first, first);
    barrier();
    weigh();
    barrier();
    correct();
    [[unroll]] for (uint chunk = 0u; chunk < CHUNKS; chunk++) {
        fetch_v(first, chunk);
        barrier();
        add_values(chunk);
        barrier();
    }
}

void main() {
    uint group = group_index(), rest = group / tiles;
    uint tile_first = (group - rest * tiles) * BQ, head = rest % heads, batch = rest / heads;
    if (batch >= batches) return; // all of the workgroup
    row = heads * HEAD_QUADS;
    k_at = k_skip + batch * tokens_k * row + head * HEAD_QUADS;
    v_at = v_skip + batch * tokens_k * row + head * HEAD_QUADS;
    q_at = q_skip + (batch * queries + tile_first) * row + head * HEAD_QUADS;
    rows_left = queries - tile_first;

    if (CHUNKS == 1u) fetch_q(0u);
    [[unroll]] for (uint r = 0u; r < ROWS; r++) {
        m[r] = LOWEST;
        l[r] = 0.0;
        [[unroll]] for (uint c = 0u; c < COLS; c++) acc[r][c] = vec4(0.0);
    }
    // A causal mask excludes all keys after the tile's last query.
    uint end = tokens_k;
    if (CAUSAL != 0u) end = min(end, first_query + min(tile_first + BQ, queries));
    for (uint first = 0u; first < end; first += BK) {
        [[unroll]] for (uint r = 0u; r < ROWS; r++)
            [[unroll]] for (uint j = 0u; j < KEYS; j++) s[r][j] = 0.0;
        if (CHUNKS == 1u) step_whole(tile_first, first);
        else step_in_chunks(tile_first, first);
    }

    [[unroll]] for (uint r = 0u; r < ROWS; r++) {
        uint query = tile_first + row_of(r);
        [[unroll]] for (uint c = 0u; c < COLS; c++) {
            uint d = lane() + c * LANES;
            if (query < queries && d < HEAD_QUADS)
                y[y_skip + (batch * queries + query) * row + head * HEAD_QUADS + d] = quad_store(acc[r][c] / l[r]);
        }
    }
}
