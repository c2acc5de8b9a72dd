// SPDX-License-Identifier: MIT
#include "base/rng.h"

#include <math.h>

static const float TWO_PI_F = 6.28318530717958647692f;
static const double TWO_PI = 6.28318530717958647692;

// Seeds mt19937 of Matsumoto and Nishimura (1998) by the recurrence of 2002.
static void seed_mt(struct fum_rng *rng, uint32_t seed) {
    rng->mt[0] = seed;
    for (uint32_t i = 1; i < FUM_RNG_MT_WORDS; i++)
        rng->mt[i] = 1812433253u * (rng->mt[i - 1] ^ (rng->mt[i - 1] >> 30)) + i;
    rng->mt_next = FUM_RNG_MT_WORDS;
}

static void refill_mt(struct fum_rng *rng) {
    enum { N = FUM_RNG_MT_WORDS, M = 397 };
    uint32_t *s = rng->mt;
    for (int i = 0; i < N; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % N] & 0x7fffffffu);
        s[i] = s[(i + M) % N] ^ (y >> 1) ^ ((y & 1u) ? 0x9908b0dfu : 0u);
    }
    rng->mt_next = 0;
}

static uint32_t next_mt(struct fum_rng *rng) {
    if (rng->mt_next >= FUM_RNG_MT_WORDS) refill_mt(rng);
    uint32_t y = rng->mt[rng->mt_next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

// Converts 24 bits to [0, 1), as torch makes f32 uniforms.
static float uniform_f32(struct fum_rng *rng) {
    return (float)(next_mt(rng) & 0xffffffu) * 0x1p-24f;
}

// Converts 53 bits to [0, 1). The first word is the high half.
static double uniform_f64(struct fum_rng *rng) {
    uint64_t high = next_mt(rng);
    uint64_t word = high << 32 | next_mt(rng);
    return (double)(word & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

// Draws as torch does for few numbers: double Box-Muller, one value now and its partner at the next
// small draw, even across calls.
static double normal_small(struct fum_rng *rng) {
    if (rng->has_cached) {
        rng->has_cached = false;
        return rng->cached;
    }
    double u1 = uniform_f64(rng), u2 = uniform_f64(rng);
    double r = sqrt(-2.0 * log1p(-u2)), theta = TWO_PI * u1;
    rng->cached = r * sin(theta);
    rng->has_cached = true;
    return r * cos(theta);
}

// Converts 16 uniforms to 16 normals in place. Element j pairs with j + 8.
static void box_muller_16(float *d) {
    for (int j = 0; j < 8; j++) {
        float u1 = 1.0f - d[j], u2 = d[j + 8]; // 1 - u is in (0, 1]: the logarithm is finite
        float r = sqrtf(-2.0f * logf(u1)), theta = TWO_PI_F * u2;
        d[j] = r * cosf(theta);
        d[j + 8] = r * sinf(theta);
    }
}

static void normal_mt(struct fum_rng *rng, float *out, size_t n) {
    if (n < 16) {
        for (size_t i = 0; i < n; i++) out[i] = (float)normal_small(rng);
        return;
    }
    for (size_t i = 0; i < n; i++) out[i] = uniform_f32(rng);
    for (size_t i = 0; i + 16 <= n; i += 16) box_muller_16(out + i);
    if (n % 16 != 0) { // torch redraws the last 16 whole rather than pairing a ragged tail
        float *tail = out + n - 16;
        for (int i = 0; i < 16; i++) tail[i] = uniform_f32(rng);
        box_muller_16(tail);
    }
}

// Computes Philox4x32-10 of Salmon et al. (2011). Only the first two words of the block are used.
static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53u * c[0], p1 = (uint64_t)0xcd9e8d57u * c[2];
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
        c[0] = n0;
        c[2] = n2;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
}

static void normal_philox(struct fum_rng *rng, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t c[4] = {rng->offset, 0, (uint32_t)i, (uint32_t)((uint64_t)i >> 32)};
        philox(c, (uint32_t)rng->seed, (uint32_t)(rng->seed >> 32));
        double u = c[0] * 0x1p-32 + 0x1p-33, v = TWO_PI * (c[1] * 0x1p-32 + 0x1p-33);
        out[i] = (float)(sqrt(-2.0 * log(u)) * sin(v));
    }
    rng->offset++;
}

void fum_rng_init(struct fum_rng *rng, enum fum_rng_kind kind, uint64_t seed) {
    *rng = (struct fum_rng){.kind = kind, .seed = seed};
    if (kind == FUM_RNG_CPU) seed_mt(rng, (uint32_t)seed);
}

void fum_rng_normal(struct fum_rng *rng, float *out, size_t n) {
    if (n == 0) return;
    if (rng->kind == FUM_RNG_CUDA)
        normal_philox(rng, out, n);
    else
        normal_mt(rng, out, n);
}

// Converts 24 bits of a word, so that 1 is never reached.
static void uniform_philox(struct fum_rng *rng, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t c[4] = {rng->offset, 0, (uint32_t)i, (uint32_t)((uint64_t)i >> 32)};
        philox(c, (uint32_t)rng->seed, (uint32_t)(rng->seed >> 32));
        out[i] = (float)(c[0] >> 8) * 0x1p-24f;
    }
    rng->offset++;
}

void fum_rng_uniform(struct fum_rng *rng, float *out, size_t n) {
    if (n == 0) return;
    if (rng->kind == FUM_RNG_CUDA)
        uniform_philox(rng, out, n);
    else
        for (size_t i = 0; i < n; i++) out[i] = uniform_f32(rng);
}
