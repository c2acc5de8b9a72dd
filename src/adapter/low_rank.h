// SPDX-License-Identifier: MIT
// Approximates a matrix by one of low rank.
#ifndef FUM_ADAPTER_LOW_RANK_H
#define FUM_ADAPTER_LOW_RANK_H

#include <fumarole/core.h>

struct fum_low_rank {
    const float *matrix; // [rows, columns]
    size_t rows, columns;
    size_t rank;      // at most the smaller side
    float *up, *down; // written: [rows, rank], [rank, columns], balanced
};

// Computes the product of that rank nearest to the matrix, from its singular vectors.
enum fum_result fum_low_rank_compute(const struct fum_low_rank *job, struct fum_error *err);

#endif
