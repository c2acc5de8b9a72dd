// SPDX-License-Identifier: MIT
// Everyday arithmetic on sizes. The macros may evaluate an argument twice.
#ifndef FUM_BASE_MACROS_H
#define FUM_BASE_MACROS_H

#include <stdint.h>
#include <string.h>

#define FUM_COUNT(array)    (sizeof(array) / sizeof *(array))
#define FUM_DIV_UP(n, k)    (((n) + (k)-1) / (k))
#define FUM_ALIGN_UP(n, to) (FUM_DIV_UP(n, to) * (to))
#define FUM_MIN(a, b)       ((a) < (b) ? (a) : (b))
#define FUM_MAX(a, b)       ((a) > (b) ? (a) : (b))

// Returns the number of [low, high] that is nearest to x.
static inline int64_t fum_clamp_i64(int64_t x, int64_t low, int64_t high) {
    return FUM_MAX(low, FUM_MIN(x, high));
}

// Returns the bits of a float, for where numbers travel as words.
static inline uint32_t fum_bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#endif
