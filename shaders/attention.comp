// SPDX-License-Identifier: MIT
// y = softmax(scale q k^T) v per head, after Dao et al., "FlashAttention" (2022): the scores are never stored.
// Each invocation holds QUERIES queries of one head and OUT_QUADS quads of their outputs. Over tiles of KEYS keys it
// keeps the running maximum m, the sum l of exp(score - m), and the weighted sum of v. Heads with more than OUT_QUADS
// quads are shared by several workgroups, each of which computes the scores again.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint QUERIES = 4;
layout(constant_id = 4) const uint KEYS = 8;
layout(constant_id = 5) const uint OUT_QUADS = 16;
layout(constant_id = 6) const uint CAUSAL = 0;

const float LOWEST = -3.0e38; // below every score, and finite: differences of it are never NaN

layout(set = 0, binding = 0) readonly buffer Q { QUAD q[]; };
layout(set = 0, binding = 1) readonly buffer Keys { QUAD keys[]; };
layout(set = 0, binding = 2) readonly buffer V { QUAD v[]; };
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

#include "attention.pc.h"

void main() {
    uint row = heads * head_quads; // quads of a token
    uint group = group_index();
    uint tile = group % tiles, rest = group / tiles;
    uint split = rest % splits, head = rest / splits % heads, batch = rest / (splits * heads);
    bool inside = batch < batches;
    batch = min(batch, batches - 1u);
    uint tile_first = tile * QUERIES * gl_WorkGroupSize.x;

    uint query[QUERIES], q_at[QUERIES];
    for (uint i = 0u; i < QUERIES; i++) {
        query[i] = min(tile_first + i * gl_WorkGroupSize.x + gl_LocalInvocationID.x, queries - 1u);
        q_at[i] = q_skip + (batch * queries + query[i]) * row + head * head_quads;
    }
    uint k_at = k_skip + batch * tokens_k * row + head * head_quads;
    uint v_at = v_skip + batch * tokens_k * row + head * head_quads;
    uint out_quad[OUT_QUADS]; // within the head
    for (uint d = 0u; d < OUT_QUADS; d++) out_quad[d] = min(split * OUT_QUADS + d, head_quads - 1u);

    float m[QUERIES], l[QUERIES];
    vec4 acc[QUERIES][OUT_QUADS];
    for (uint i = 0u; i < QUERIES; i++) {
        m[i] = LOWEST;
        l[i] = 0.0;
        for (uint d = 0u; d < OUT_QUADS; d++) acc[i][d] = vec4(0.0);
    }

    // A causal mask excludes all keys after the tile's last query.
    uint end = tokens_k;
    if (CAUSAL != 0u) end = min(end, first_query + tile_first + QUERIES * gl_WorkGroupSize.x);
    for (uint first = 0u; first < end; first += KEYS) {
        uint key_at[KEYS];
        for (uint j = 0u; j < KEYS; j++) key_at[j] = min(first + j, tokens_k - 1u) * row;

        float s[QUERIES][KEYS];
        for (uint i = 0u; i < QUERIES; i++)
            for (uint j = 0u; j < KEYS; j++) s[i][j] = 0.0;
        for (uint d = 0u; d < head_quads; d++) {
            vec4 a[QUERIES];
            for (uint i = 0u; i < QUERIES; i++) a[i] = quad_load(q[q_at[i] + d]);
            for (uint j = 0u; j < KEYS; j++) {
                vec4 b = quad_load(keys[k_at + key_at[j] + d]);
                for (uint i = 0u; i < QUERIES; i++)
                    s[i][j] = fma(a[i].w, b.w, fma(a[i].z, b.z, fma(a[i].y, b.y, fma(a[i].x, b.x, s[i][j]))));
            }
        }

        float correction[QUERIES];
        for (uint i = 0u; i < QUERIES; i++) {
            float top = m[i];
            for (uint j = 0u; j < KEYS; j++) {
                float score = s[i][j] * scale;
                bool counts = first + j < tokens_k && (CAUSAL == 0u || first + j <= first_query + query[i]);
                // Infinite scores become the largest finite ones; NaN stays NaN.
                score = abs(score) > -LOWEST ? sign(score) * -LOWEST : score;
                s[i][j] = counts ? score : LOWEST;
                top = max(top, s[i][j]);
            }
            correction[i] = exp(m[i] - top);
            l[i] *= correction[i];
            for (uint j = 0u; j < KEYS; j++) {
                bool counts = first + j < tokens_k && (CAUSAL == 0u || first + j <= first_query + query[i]);
                s[i][j] = counts ? exp(s[i][j] - top) : 0.0;
                l[i] += s[i][j];
            }
            m[i] = top;
        }

        for (uint d = 0u; d < OUT_QUADS; d++) {
            for (uint i = 0u; i < QUERIES; i++) acc[i][d] *= correction[i];
            for (uint j = 0u; j < KEYS; j++) {
                vec4 b = quad_load(v[v_at + key_at[j] + out_quad[d]]);
                for (uint i = 0u; i < QUERIES; i++) acc[i][d] = fma(vec4(s[i][j]), b, acc[i][d]);
            }
        }
    }

    for (uint i = 0u; i < QUERIES; i++) {
        bool mine = inside && tile_first + i * gl_WorkGroupSize.x + gl_LocalInvocationID.x < queries;
        float inverse = 1.0 / l[i];
        uint at = y_skip + (batch * queries + query[i]) * row + head * head_quads;
        for (uint d = 0u; d < OUT_QUADS; d++)
            if (mine && split * OUT_QUADS + d < head_quads) y[at + out_quad[d]] = quad_store(acc[i][d] * inverse);
    }
}
