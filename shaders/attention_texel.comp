// SPDX-License-Identifier: MIT
// attention.comp for drivers on which fetching texels is cheaper than loading from storage buffers. A workgroup is one
// subgroup whose lanes lie along the queries. Each lane holds ROWS queries of one head and their whole outputs. So
// maxima, sums and corrections stay within a lane, and no lane idles whatever the head's width.
// Keys and values are fetched with the lanes along the keys, as many at a time as there are lanes. Shuffles with a
// constant lane hand each of their terms to all queries. See lib/gemm_texel.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint ROWS = 4;
layout(constant_id = 4) const uint KEYS = 4;   // whose scores are summed side by side; divides the lanes
layout(constant_id = 5) const uint QUADS = 10; // of a head
layout(constant_id = 6) const uint CAUSAL = 0;

// Excluded scores are MASKED, all others between -HIGHEST and HIGHEST. All are finite, so that differences are never
// NaN.
const float MASKED = -3.0e38, HIGHEST = 1.0e38;

layout(set = 0, binding = 0) uniform TEXELS q;
layout(set = 0, binding = 1) uniform TEXELS keys;
layout(set = 0, binding = 2) uniform TEXELS v;
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "attention.pc.h"

#define LANES gl_WorkGroupSize.x
#define LANE gl_SubgroupInvocationID
#define EACH(i, count) [[unroll]] for (uint i = 0u; i < count; i++)

vec4 query[QUADS][ROWS]; // times the scale and log2(e): weights are powers of two
vec4 acc[QUADS][ROWS];
float s[LANES][ROWS]; // scores, then their weights
float m[ROWS];        // running maximum
float top[ROWS];      // the same with the current keys
float l[ROWS];        // sum of the weights

// Computes the scores of keys first to first + LANES; row: the lane's first query.
void add_scores(uint first, uint k_first, uint row) {
    uint at = k_first + min(first + LANE, tokens_k - 1u) * heads * QUADS;
    vec4 b[QUADS];
    EACH(d, QUADS) b[d] = texel_load(keys, at + d);
    EACH(r, ROWS) top[r] = m[r];
    EACH(j, LANES / KEYS) {
        float sum[KEYS][ROWS];
        EACH(i, KEYS) EACH(r, ROWS) sum[i][r] = 0.0;
        EACH(d, QUADS) EACH(c, 4u) {
            float t[KEYS];
            EACH(i, KEYS) t[i] = subgroupShuffle(b[d][c], j * KEYS + i);
            EACH(r, ROWS) EACH(i, KEYS) sum[i][r] = fma(query[d][r][c], t[i], sum[i][r]);
        }
        EACH(i, KEYS) EACH(r, ROWS) {
            float score = sum[i][r];
            uint lane = j * KEYS + i;
            // Infinite scores become the largest finite ones; NaN stays NaN.
            score = score > HIGHEST ? HIGHEST : score;
            score = score < -HIGHEST ? -HIGHEST : score;
            bool counts = first + lane < tokens_k && (CAUSAL == 0u || first + lane <= row + r * LANES);
            s[lane][r] = score = counts ? score : MASKED;
            top[r] = score > top[r] ? score : top[r];
        }
    }
}

void weigh() {
    EACH(r, ROWS) {
        float correction = exp2(m[r] - top[r]);
        l[r] *= correction;
        m[r] = top[r];
        EACH(j, LANES) {
            s[j][r] = exp2(s[j][r] - top[r]);
            l[r] += s[j][r];
        }
        EACH(d, QUADS) acc[d][r] *= correction;
    }
}

void add_values(uint first, uint v_first) {
    uint at = v_first + min(first + LANE, tokens_k - 1u) * heads * QUADS;
    vec4 b[QUADS];
    EACH(d, QUADS) b[d] = texel_load(v, at + d);
    EACH(d, QUADS) EACH(j, LANES) {
        vec4 t = vec4(subgroupShuffle(b[d].x, j), subgroupShuffle(b[d].y, j), subgroupShuffle(b[d].z, j),
                      subgroupShuffle(b[d].w, j));
        EACH(r, ROWS) acc[d][r] = fma(vec4(s[j][r]), t, acc[d][r]);
    }
}

void main() {
    uint token = heads * QUADS; // quads of one
    uint group = group_index();
    uint tile = group % tiles, rest = group / tiles;
    uint head = rest % heads, batch = rest / heads;
    bool inside = batch < batches;
    batch = min(batch, batches - 1u);
    uint first_row = tile * ROWS * LANES + LANE; // the lane's first query in this dispatch

    EACH(r, ROWS) {
        uint row = min(first_row + r * LANES, queries - 1u);
        EACH(d, QUADS) {
            uint at = q_skip + (batch * queries + row) * token + head * QUADS + d;
            query[d][r] = texel_load(q, at) * (scale * 1.44269504);
            acc[d][r] = vec4(0.0);
        }
        m[r] = -HIGHEST;
        l[r] = 0.0;
    }
    uint head_first = batch * tokens_k * token + head * QUADS;

    // A causal mask excludes all keys after the tile's last query.
    uint end = tokens_k;
    if (CAUSAL != 0u) end = min(end, first_query + (tile + 1u) * ROWS * LANES);
    for (uint first = 0u; first < end; first += LANES) {
        add_scores(first, k_skip + head_first, first_query + first_row);
        weigh();
        add_values(first, v_skip + head_first);
    }

    // Stores take much code, so one query is stored in a loop that is not unrolled and moves the other outputs up to
    // it.
    [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {
        uint row = first_row + r * LANES, at = y_skip + (batch * queries + row) * token + head * QUADS;
        float inverse = 1.0 / l[0];
        if (inside && row < queries) EACH(d, QUADS) y[at + d] = quad_store(acc[d][0] * inverse);
        EACH(i, ROWS - 1u) {
            l[i] = l[i + 1u];
            EACH(d, QUADS) acc[d][i] = acc[d][i + 1u];
        }
    }
}
