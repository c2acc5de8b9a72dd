// SPDX-License-Identifier: MIT
#include "train/history.h"

#include <math.h>
#include <string.h>

// Returns the mean of two values, or one of them if the other is no number.
static float join(float a, float b) {
    if (isfinite(a) && isfinite(b)) return a / 2 + b / 2;
    return isfinite(a) ? a : b;
}

// Joins neighbours, so that half of the room is free again.
static void halve(struct fum_history *h) {
    h->count /= 2;
    for (int i = 0; i < h->count; i++) {
        h->step[i] = (h->step[2 * i] + h->step[2 * i + 1]) / 2;
        for (int s = 0; s < h->series; s++)
            h->value[s][i] = join(h->value[s][2 * i], h->value[s][2 * i + 1]);
    }
    h->each *= 2;
}

void fum_history_add(struct fum_history *h, int64_t step, const double *values) {
    if (!h->each) h->each = 1;
    for (int s = 0; s < h->series; s++) {
        h->sum[s] += isfinite(values[s]) ? values[s] : 0;
        h->finite[s] += isfinite(values[s]) ? 1 : 0;
    }
    if (++h->gathered < h->each) return;
    if (h->count == FUM_HISTORY_POINTS) halve(h);
    h->step[h->count] = (double)step - (double)(h->gathered - 1) / 2;
    for (int s = 0; s < h->series; s++)
        h->value[s][h->count] = (float)(h->sum[s] / (double)h->finite[s]); // NaN of none
    h->count++;
    h->gathered = 0;
    memset(h->sum, 0, sizeof h->sum);
    memset(h->finite, 0, sizeof h->finite);
}
