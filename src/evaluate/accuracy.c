// SPDX-License-Identifier: MIT
// Counts the pictures whose class a classifier recognises.
#include "evaluate/measures.h"

static size_t find_largest(const float *logits, size_t classes) {
    size_t largest = 0;
    for (size_t i = 1; i < classes; i++)
        if (logits[i] > logits[largest]) largest = i;
    return largest;
}

double fum_accuracy(const struct fum_rows *logits, const int32_t *labels) {
    size_t right = 0;
    for (size_t i = 0; i < logits->count; i++)
        right += find_largest(logits->f32 + i * logits->width, logits->width) == (size_t)labels[i];
    return (double)right / (double)logits->count;
}
