// SPDX-License-Identifier: MIT
// Keeps the numbers of a run's steps for its plots. A long run keeps the mean of every few steps,
// so that memory and page stay small.
#ifndef FUM_TRAIN_HISTORY_H
#define FUM_TRAIN_HISTORY_H

#include <fumarole/core.h>

enum { FUM_HISTORY_POINTS = 1024, FUM_HISTORY_SERIES = 32 };

struct fum_history {
    int series;
    int64_t each; // steps that a point is the mean of
    int count;    // finished points
    double step[FUM_HISTORY_POINTS];
    float value[FUM_HISTORY_SERIES][FUM_HISTORY_POINTS];
    // the point that is being made
    int64_t gathered;
    double sum[FUM_HISTORY_SERIES];
    int64_t finite[FUM_HISTORY_SERIES]; // values in the sum
};

// Adds the numbers of a step. Non-finite ones are left out of the mean, which is NaN if all are.
void fum_history_add(struct fum_history *history, int64_t step, const double *values);

#endif
