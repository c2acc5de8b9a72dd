// SPDX-License-Identifier: MIT
// Attention's gradients, and the normalisers that they read, on drivers where fetching texels is cheaper than loading
// from storage buffers. As in attention_texel.comp, a workgroup is one subgroup. Each lane holds ROWS rows of one head,
// which are queries, or keys for their own gradient. The rows on the other side are fetched with the lanes along them.
// Shuffles hand them, as many as there are lanes, to all rows.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const uint SIDE = 4;   // products that are summed side by side; divides the lanes
layout(constant_id = 5) const uint QUADS = 10; // of a head
layout(constant_id = 6) const uint CAUSAL = 0;
layout(constant_id = 7) const uint KIND = 0;
const uint NORMALISER = 0u, QUERY = 1u, KEY = 2u;

layout(set = 0, binding = 0) uniform TEXELS q;
layout(set = 0, binding = 1) uniform TEXELS k;
layout(set = 0, binding = 2) uniform TEXELS v;
layout(set = 0, binding = 3) uniform TEXELS dout;
layout(set = 0, binding = 4) uniform samplerBuffer normaliser;
layout(set = 0, binding = 5) uniform samplerBuffer delta;
layout(set = 0, binding = 6) writeonly buffer Dx { QUAD dx[]; };
layout(set = 0, binding = 6) writeonly buffer Stats { float stats[]; }; // the output of NORMALISER

#include "attention_gradient.pc.h"

#define LANES gl_WorkGroupSize.x
#define LANE gl_SubgroupInvocationID
#define EACH(i, count) [[unroll]] for (uint i = 0u; i < count; i++)
const float LOG2E = 1.44269504;

// Scores are sums of products of `own` and `other`, slopes those of `own_out` and `other_out`.
vec4 own[QUADS][ROWS];     // times the scale and log2(e): weights are powers of two
vec4 own_out[QUADS][ROWS];
vec4 other[QUADS], other_out[QUADS];
vec4 acc[QUADS][ROWS], acc_v[QUADS][ROWS];
float s[LANES][ROWS]; // scores, then weights
float g[LANES][ROWS]; // slopes
float less[ROWS], along[ROWS]; // of the lane's queries: normaliser, in powers of two, and delta
float top[ROWS], sum[ROWS];    // largest score so far and the sum of the weights beside it

#define DOTS(products, rows, others)                                                             \
    EACH(j, LANES / SIDE) {                                                                      \
        float part[SIDE][ROWS];                                                                  \
        EACH(i, SIDE) EACH(r, ROWS) part[i][r] = 0.0;                                            \
        EACH(d, QUADS) EACH(c, 4u) EACH(i, SIDE) {                                               \
            float t = subgroupShuffle(others[d][c], j * SIDE + i);                               \
            EACH(r, ROWS) part[i][r] = fma(rows[d][r][c], t, part[i][r]);                        \
        }                                                                                        \
        EACH(i, SIDE) EACH(r, ROWS) products[j * SIDE + i][r] = part[i][r];                      \
    }

#define ADD(sums, weights, others)                                                               \
    EACH(d, QUADS) EACH(j, LANES) {                                                              \
        vec4 t = vec4(subgroupShuffle(others[d].x, j), subgroupShuffle(others[d].y, j),          \
                      subgroupShuffle(others[d].z, j), subgroupShuffle(others[d].w, j));         \
        EACH(r, ROWS) sums[d][r] = fma(vec4(weights[j][r]), t, sums[d][r]);                      \
    }

// True if a query sees a key, one of them on the other side.
bool counts(uint row, uint at, uint others) {
    return at < others && (CAUSAL == 0u || (KIND == KEY ? at >= row : at <= row));
}

void add_normalisers(uint first, uint row) {
    EACH(r, ROWS) {
        float higher = top[r];
        EACH(j, LANES) {
            if (!counts(row + r * LANES, first + j, keys)) s[j][r] = -3.0e38;
            higher = max(higher, s[j][r]);
        }
        sum[r] *= exp2(top[r] - higher);
        EACH(j, LANES) sum[r] += exp2(s[j][r] - higher);
        top[r] = higher;
    }
}

void add_gradients(uint first, uint row, float other_less, float other_along) {
    EACH(j, LANES) EACH(r, ROWS) {
        float l = KIND == KEY ? subgroupShuffle(other_less, j) : less[r];
        float a = KIND == KEY ? subgroupShuffle(other_along, j) : along[r];
        bool seen = counts(row + r * LANES, first + j, KIND == KEY ? queries : keys);
        s[j][r] = seen ? exp2(s[j][r] - l) : 0.0;
        g[j][r] = s[j][r] * (g[j][r] - a);
    }
    ADD(acc, g, other)
    if (KIND == KEY) ADD(acc_v, s, other_out)
}

void main() {
    uint group = group_index();
    bool inside = group < quads;
    group = min(group, quads - 1u);
    uint rows = KIND == KEY ? keys : queries, others = KIND == KEY ? queries : keys;
    uint tiles = (rows + ROWS * LANES - 1u) / (ROWS * LANES);
    uint tile = group % tiles, rest = group / tiles, h = rest % heads, batch = rest / heads;
    uint first_row = tile * ROWS * LANES + LANE; // the lane's first one

    EACH(r, ROWS) {
        uint row = batch * rows + min(first_row + r * LANES, rows - 1u), at = row * row_quads + h * QUADS;
        EACH(d, QUADS) {
            own[d][r] = (KIND == KEY ? texel_load(k, at + d) : texel_load(q, at + d)) * (scale * LOG2E);
            if (KIND != NORMALISER) own_out[d][r] = KIND == KEY ? texel_load(v, at + d) : texel_load(dout, at + d);
            acc[d][r] = acc_v[d][r] = vec4(0.0);
        }
        if (KIND == QUERY) {
            less[r] = texelFetch(normaliser, int(row * stat_quads + h / 4u))[h % 4u] * LOG2E;
            along[r] = texelFetch(delta, int(row * stat_quads + h / 4u))[h % 4u];
        }
        top[r] = -1.0e38;
        sum[r] = 0.0;
    }

    // A causal mask excludes all keys after the tile's last query, and all queries before the tile's first key.
    uint begin = CAUSAL != 0u && KIND == KEY ? tile * ROWS * LANES : 0u, end = others;
    if (CAUSAL != 0u && KIND != KEY) end = min(end, (tile + 1u) * ROWS * LANES);
    for (uint first = begin; first < end; first += LANES) {
        uint row = batch * others + min(first + LANE, others - 1u), at = row * row_quads + h * QUADS;
        float other_less = 0.0, other_along = 0.0;
        EACH(d, QUADS) {
            other[d] = KIND == KEY ? texel_load(q, at + d) : texel_load(k, at + d);
            if (KIND != NORMALISER) other_out[d] = KIND == KEY ? texel_load(dout, at + d) : texel_load(v, at + d);
        }
        if (KIND == KEY) {
            other_less = texelFetch(normaliser, int(row * stat_quads + h / 4u))[h % 4u] * LOG2E;
            other_along = texelFetch(delta, int(row * stat_quads + h / 4u))[h % 4u];
        }
        DOTS(s, own, other)
        if (KIND == NORMALISER) {
            add_normalisers(first, first_row);
        } else {
            DOTS(g, own_out, other_out)
            add_gradients(first, first_row, other_less, other_along);
        }
    }

    // Stores take much code, so one row is stored in a loop that is not unrolled and moves the others up to it.
    [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {
        uint row = batch * rows + first_row + r * LANES, at = row * row_quads + h * QUADS;
        if (inside && first_row + r * LANES < rows) {
            if (KIND == NORMALISER) stats[row * stat_quads * 4u + h] = (top[0] + log2(sum[0])) / LOG2E;
            else EACH(d, QUADS) dx[at + d] = quad_store(acc[d][0] * scale);
            if (KIND == KEY) EACH(d, QUADS) dx[key_values + at + d] = quad_store(acc_v[d][0]);
        }
        EACH(i, ROWS - 1u) {
            top[i] = top[i + 1u];
            sum[i] = sum[i + 1u];
            EACH(d, QUADS) {
                acc[d][i] = acc[d][i + 1u];
                acc_v[d][i] = acc_v[d][i + 1u];
            }
        }
    }
}
