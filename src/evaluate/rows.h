// SPDX-License-Identifier: MIT
// Walks all pairs of rows of two matrices on all threads: products or distances in f64.
#ifndef FUM_EVALUATE_ROWS_H
#define FUM_EVALUATE_ROWS_H

#include <fumarole/core.h>

// A matrix of `count` rows. One of the pointers is set.
struct fum_rows {
    const float *f32;
    const double *f64;
    size_t count, width;
    const size_t *order; // row i is row order[i] of the memory; NULL: as they lie
};

enum fum_pair_kind {
    FUM_PAIR_PRODUCT,  // the sum of products
    FUM_PAIR_DISTANCE, // the sum of squared differences
};

struct fum_pairs {
    struct fum_rows a, b; // of the same width
    enum fum_pair_kind kind;
    // Receives row i of the result, b.count values, on one of several threads.
    void (*row)(void *user, size_t i, const double *values);
    void *user;
};

// Calls `row` for every row of `a`, in no certain order. Sums run in the order of the columns, so
// each value has the same bits wherever its rows stand. Fails only when memory is out.
enum fum_result fum_pairs_walk(const struct fum_pairs *pairs, struct fum_error *err);

// Stores the products of all pairs in `out` [a.count, b.count].
enum fum_result fum_rows_multiply(const struct fum_rows *a, const struct fum_rows *b, double *out,
                                  struct fum_error *err);

// Calls work(user, i) for every i below `count`, on all threads and in no certain order.
void fum_spread(size_t count, void (*work)(void *user, size_t i), void *user);

#endif
