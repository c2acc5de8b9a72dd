// Statistics of group norm in one dispatch and one pass over x: a workgroup for each batch and group. Each lane takes
// means and sums of squared differences of short runs of rows by Welford's recurrence, and everything after that is
// merged, m2 = m2_a + m2_b + n_a n_b / n (mean_a - mean_b)^2 (Chan, Golub and LeVeque, "Updating formulae", 1979), which
// keeps its digits however large the mean is. Writes per channel the factor a = gamma / sqrt(var + eps) and the addend
// b = beta - mean a.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint LANES = 8; // of the workgroup; a power of two

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Gamma { QUAD gamma[]; };
layout(set = 0, binding = 2) readonly buffer Beta { QUAD beta[]; };
layout(set = 0, binding = 3) writeonly buffer Factors { float factors[]; }; // [batch][a, b][channel]

layout(push_constant) uniform Push {
    uint quads; // of a row
    uint groups, group_channels;
    uint rows, batches;
    uint lanes_q; // lanes along the quads of a row; the others along rows
    float eps;
};

const uint RUN = 64u; // rows of one recurrence

shared float s_n[LANES], s_mean[LANES], s_m2[LANES];

float n = 0.0, mean = 0.0, m2 = 0.0;

void merge(float n_b, float mean_b, float m2_b) {
    if (n_b == 0.0) return;
    float both = n + n_b, delta = mean_b - mean;
    float share = n_b / both;
    m2 += fma(delta * delta, n * share, m2_b);
    mean = fma(delta, share, mean);
    n = both;
}

void main() {
    uint item = group_index(), group = item % groups, batch = item / groups, lane = gl_LocalInvocationID.x;
    if (batch >= batches) return; // with the whole workgroup
    uint first = group * group_channels, end = first + group_channels;
    uint end_quad = (end + 3u) / 4u, lanes_r = LANES / lanes_q, lane_r = lane / lanes_q;
    for (uint q = first / 4u + lane % lanes_q; q < end_quad && lane_r < lanes_r; q += lanes_q) {
        uint at = batch * rows * quads + q;
        for (uint row = lane_r; row < rows; row += RUN * lanes_r) {
            vec4 mu = vec4(0.0), squares = vec4(0.0);
            uint count = min(RUN, (rows - row + lanes_r - 1u) / lanes_r);
            for (uint i = 0u; i < count; i++) {
                vec4 v = quad_load(x[at + (row + i * lanes_r) * quads]);
                vec4 delta = v - mu;
                mu = fma(delta, vec4(1.0 / float(i + 1u)), mu);
                squares = fma(delta, v - mu, squares);
            }
            // Of the quad's four channels those of the group.
            for (uint c = 0u; c < 4u; c++)
                if (4u * q + c >= first && 4u * q + c < end) merge(float(count), mu[c], squares[c]);
        }
    }

    s_n[lane] = n;
    s_mean[lane] = mean;
    s_m2[lane] = m2;
    barrier();
    for (uint step = LANES / 2u; step > 0u; step /= 2u) {
        if (lane < step) {
            merge(s_n[lane + step], s_mean[lane + step], s_m2[lane + step]);
            s_n[lane] = n;
            s_mean[lane] = mean;
            s_m2[lane] = m2;
        }
        barrier();
    }
    mean = s_mean[0];
    float inverse = inversesqrt(s_m2[0] / s_n[0] + eps);
    uint to = batch * 8u * quads;
    for (uint c = first + lane; c < end; c += LANES) {
        float a = inverse * quad_load(gamma[c / 4u])[c % 4u];
        factors[to + c] = a;
        factors[to + 4u * quads + c] = fma(-mean, a, quad_load(beta[c / 4u])[c % 4u]);
    }
}
