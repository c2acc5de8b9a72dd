// SPDX-License-Identifier: MIT
// How far a result is from a golden one.
#ifndef TESTS_PIPELINE_DISTANCE_H
#define TESTS_PIPELINE_DISTANCE_H

#include <math.h>
#include <stddef.h>

// Returns the RMS of the differences, relative to that of `b`.
static inline double relative_rms(const float *a, const float *b, size_t count) {
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(error / size);
}

#endif
