// SPDX-License-Identifier: MIT
// Sends the pictures of a set through the network of features, some at once.
#ifndef FUM_EVALUATE_BATCH_H
#define FUM_EVALUATE_BATCH_H

#include "evaluate/set.h"
#include "io/image.h"

struct fum_feature_batch {
    struct fum_set *set;
    struct fum_set_context *context;
    float *pixels; // of FUM_FEATURE_BATCH pictures
    size_t rows;   // pictures that went through the network
};

// Opens the network, unless it is open, and allocates the features of `total` pictures.
enum fum_result fum_feature_batch_begin(struct fum_feature_batch *batch, size_t total,
                                        struct fum_error *err);
// Writes a picture at place `index` of the batch, in the size and colours of the network. Any
// number of threads may write.
enum fum_result fum_feature_batch_write(const struct fum_feature_batch *batch, size_t index,
                                        const struct fum_bitmap *bitmap, struct fum_error *err);
// Runs the network on the first `count` pictures of the batch.
enum fum_result fum_feature_batch_run(struct fum_feature_batch *batch, size_t count,
                                      struct fum_error *err);
// Reports progress. FUM_ERR_CANCELLED if the caller stops it.
enum fum_result fum_feature_batch_report(const struct fum_feature_batch *batch, size_t done,
                                         size_t total, struct fum_error *err);
// States the rows of the set, and frees the batch. FUM_ERR_FORMAT if there are none.
enum fum_result fum_feature_batch_end(struct fum_feature_batch *batch, enum fum_result result,
                                      struct fum_error *err);

#endif
