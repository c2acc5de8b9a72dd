// attention.comp for drivers where fetching texels is cheaper than loading from storage buffers. A workgroup is one
// subgroup and holds ROWS queries of one head. For the scores its lanes lie along GROUPS times as many keys, and shuffles
// hand the queries' terms to all of them; for the sum over v they lie along COLS times as many quads of the head, and
// shuffles hand out the weights. See lib/gemm_texel.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const uint GROUPS = 2;
layout(constant_id = 5) const uint COLS = 2;
layout(constant_id = 6) const uint CAUSAL = 0;

const float LOWEST = -3.0e38; // below every score, and finite: differences of it are never NaN

layout(set = 0, binding = 0) uniform TEXELS q;
layout(set = 0, binding = 1) uniform TEXELS keys;
layout(set = 0, binding = 2) uniform TEXELS v;
layout(set = 0, binding = 3) writeonly buffer Y { QUAD y[]; };

layout(push_constant) uniform Push {
    uint queries;     // of a batch in this dispatch
    uint first_query; // their first
    uint batches;
    uint tiles;       // workgroups along the queries
    uint q_skip, k_skip, v_skip, y_skip;
    float scale;
    uint heads, head_quads, splits; // splits: unused
    uint tokens_k;
};

#define LANES gl_WorkGroupSize.x
#define FETCHES ((ROWS + LANES - 1u) / LANES)
#define LANE gl_SubgroupInvocationID
#define EACH(i, count) [[unroll]] for (uint i = 0u; i < count; i++)

// Over all lanes, in each of them.
float lanes_max(float x) {
    x = max(x, subgroupShuffle(x, LANE ^ 1u));
    x = max(x, subgroupShuffle(x, LANE ^ 2u));
    if (LANES > 4u) x = max(x, subgroupShuffle(x, LANE ^ 4u));
    if (LANES > 8u) x = max(x, subgroupShuffle(x, LANE ^ 8u));
    return x;
}
float lanes_sum(float x) {
    x += subgroupShuffle(x, LANE ^ 1u);
    x += subgroupShuffle(x, LANE ^ 2u);
    if (LANES > 4u) x += subgroupShuffle(x, LANE ^ 4u);
    if (LANES > 8u) x += subgroupShuffle(x, LANE ^ 8u);
    return x;
}

vec4 acc[ROWS][COLS];
float s[ROWS][GROUPS]; // scores, then their exponentials
float m[ROWS];         // running maximum, the same in all lanes
float l[ROWS];         // sum of the exponentials of this lane's keys

uint q_at[FETCHES], k_at[GROUPS];
vec4 a[FETCHES];

void add_scores() {
    EACH(r, ROWS) EACH(g, GROUPS) s[r][g] = 0.0;
    for (uint d = 0u; d < head_quads; d++) {
        EACH(f, FETCHES) a[f] = texel_load(q, q_at[f] + d);
        EACH(g, GROUPS) {
            vec4 b = texel_load(keys, k_at[g] + d);
            EACH(r, ROWS) {
                vec4 t = a[r / LANES];
                float sum = s[r][g];
                EACH(i, 4u) sum = fma(subgroupShuffle(t[i], r % LANES), b[i], sum);
                s[r][g] = sum;
            }
        }
    }
}

void main() {
    uint row = heads * head_quads; // quads of a token
    uint group = group_index();
    uint tile = group % tiles, rest = group / tiles;
    uint head = rest % heads, batch = rest / heads;
    bool inside = batch < batches;
    batch = min(batch, batches - 1u);
    uint tile_first = tile * ROWS;

    EACH(f, FETCHES) {
        uint query = min(tile_first + f * LANES + LANE, queries - 1u);
        q_at[f] = q_skip + (batch * queries + query) * row + head * head_quads;
    }
    uint k_first = k_skip + batch * tokens_k * row + head * head_quads;
    uint v_first = v_skip + batch * tokens_k * row + head * head_quads;
    uint col[COLS];
    EACH(c, COLS) col[c] = min(c * LANES + LANE, head_quads - 1u);

    EACH(r, ROWS) {
        m[r] = LOWEST;
        l[r] = 0.0;
        EACH(c, COLS) acc[r][c] = vec4(0.0);
    }

    // With a causal mask no key after the tile's last query counts.
    uint end = tokens_k;
    if (CAUSAL != 0u) end = min(end, first_query + tile_first + ROWS);
    for (uint first = 0u; first < end; first += GROUPS * LANES) {
        EACH(g, GROUPS) k_at[g] = k_first + min(first + g * LANES + LANE, tokens_k - 1u) * row;
        add_scores();

        EACH(r, ROWS) {
            float top = m[r];
            bool counts[GROUPS];
            EACH(g, GROUPS) {
                uint key = first + g * LANES + LANE;
                counts[g] = key < tokens_k && (CAUSAL == 0u || key <= first_query + min(tile_first + r, queries - 1u));
                float score = s[r][g] * scale;
                // Infinite scores become the largest finite ones; NaN stays NaN.
                score = abs(score) > -LOWEST ? sign(score) * -LOWEST : score;
                s[r][g] = counts[g] ? score : LOWEST;
                top = max(top, s[r][g]);
            }
            top = lanes_max(top);
            float correction = exp(m[r] - top);
            l[r] *= correction;
            EACH(g, GROUPS) {
                s[r][g] = counts[g] ? exp(s[r][g] - top) : 0.0;
                l[r] += s[r][g];
            }
            m[r] = top;
            EACH(c, COLS) acc[r][c] *= correction;
        }

        EACH(g, GROUPS) EACH(j, LANES / 4u) EACH(c, COLS) {
            vec4 b[4];
            EACH(i, 4u) {
                uint key = min(first + g * LANES + j * 4u + i, tokens_k - 1u);
                b[i] = texel_load(v, v_first + key * row + col[c]);
            }
            EACH(r, ROWS) {
                vec4 sum = acc[r][c];
                EACH(i, 4u) sum = fma(vec4(subgroupShuffle(s[r][g], j * 4u + i)), b[i], sum);
                acc[r][c] = sum;
            }
        }
    }

    EACH(r, ROWS) {
        uint query = tile_first + r;
        float inverse = 1.0 / lanes_sum(l[r]);
        uint at = y_skip + (batch * queries + min(query, queries - 1u)) * row + head * head_quads;
        EACH(c, COLS)
            if (inside && query < queries && c * LANES + LANE < head_quads) y[at + col[c]] = quad_store(acc[r][c] * inverse);
    }
}
