// SPDX-License-Identifier: MIT
// Draws the samples of a run: every epoch in a fresh order, each sample once.
//
// Everything follows from the seed and the number of the batch, without history. A run that is
// resumed at any batch gets the samples that it would have got.
#ifndef FUM_DATA_ORDER_H
#define FUM_DATA_ORDER_H

#include "data/data.h"

struct fum_data_order {
    const fum_data *data;
    uint64_t seed;
    int batch; // samples of a batch
};

// Returns the bucket whose size the samples of a batch have. `number` counts batches from 0.
int fum_data_order_bucket(const struct fum_data_order *order, int64_t number);
// Returns sample `row` of a batch.
struct fum_data_pick fum_data_order_pick(const struct fum_data_order *order, int64_t number,
                                         int row);
// Returns the sample to use after a number of broken ones, in the same size and mirrored alike.
// `tries` counts from 1; after as many as there are samples, all were tried.
struct fum_data_pick fum_data_order_next(const struct fum_data_order *order,
                                         struct fum_data_pick pick, int64_t tries);

// Returns the place of `index` in a permutation of 0..count-1 that the key chooses.
int64_t fum_data_permute(int64_t index, int64_t count, uint64_t key);

#endif
