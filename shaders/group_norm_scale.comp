// Second step of group norm: merges the chunks and channels of a group by the formula of Chan, Golub and LeVeque
// ("Updating formulae", 1979), and writes per channel the factor a = gamma / sqrt(var + eps) and addend
// b = beta - mean a. One invocation per batch and group.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"

layout(constant_id = 3) const uint QUADS = 1;
layout(constant_id = 4) const uint CHUNK = 64;
layout(constant_id = 5) const uint GROUPS = 1;
layout(constant_id = 6) const uint GROUP_CHANNELS = 1;

layout(set = 0, binding = 0) readonly buffer Stats { float stats[]; };
layout(set = 0, binding = 1) readonly buffer Gamma { QUAD gamma[]; };
layout(set = 0, binding = 2) readonly buffer Beta { QUAD beta[]; };
layout(set = 0, binding = 3) writeonly buffer Factors { float factors[]; }; // [batch][a, b][channel]

layout(push_constant) uniform Push {
    uint rows, chunks, batches;
    float eps;
};

void main() {
    uint item = item_index();
    uint group = item % GROUPS, batch = item / GROUPS;
    if (batch >= batches) return;
    float n = 0.0, mean = 0.0, m2 = 0.0;
    for (uint chunk = 0u; chunk < chunks; chunk++) {
        float count = float(min(CHUNK, rows - chunk * CHUNK));
        uint at = (batch * chunks + chunk) * 8u * QUADS + group * GROUP_CHANNELS;
        for (uint c = 0u; c < GROUP_CHANNELS; c++) {
            float delta = stats[at + c] - mean, share = count / (n + count);
            mean = fma(delta, share, mean);
            m2 += fma(delta * delta * n, share, stats[at + 4u * QUADS + c]);
            n += count;
        }
    }
    float inverse = inversesqrt(m2 / n + eps);
    uint to = batch * 8u * QUADS + group * GROUP_CHANNELS;
    for (uint c = 0u; c < GROUP_CHANNELS; c++) {
        uint channel = group * GROUP_CHANNELS + c;
        float a = inverse * quad_load(gamma[channel / 4u])[channel % 4u];
        factors[to + c] = a;
        factors[to + 4u * QUADS + c] = fma(-mean, a, quad_load(beta[channel / 4u])[channel % 4u]);
    }
}
