// SPDX-License-Identifier: MIT
// Random numbers from a seed and what they are for, without history.
#ifndef FUM_DATA_DRAW_H
#define FUM_DATA_DRAW_H

#include <stdint.h>

// Mixes all bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
static inline uint64_t fum_draw_mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

// Returns 64 random bits for the place (a, b) of a purpose, which is any number.
static inline uint64_t fum_draw(uint64_t seed, uint64_t purpose, uint64_t a, uint64_t b) {
    return fum_draw_mix(fum_draw_mix(fum_draw_mix(fum_draw_mix(seed) ^ purpose) ^ a) ^ b);
}

// Converts random bits to a number in [low, high).
static inline double fum_draw_between(uint64_t bits, double low, double high) {
    return low + (high - low) * (double)(bits >> 11) * 0x1p-53;
}

#endif
