// SPDX-License-Identifier: MIT
// Reads the next batches of a run on threads of its own, while the device works on the last one.
//
// What a batch holds depends on the seed and its number alone. Broken pictures are logged once,
// counted and replaced by the next sample of the same size.
#ifndef FUM_DATA_FEED_H
#define FUM_DATA_FEED_H

#include "data/order.h"

struct fum_data_batch {
    int64_t number;               // in the run, from 0
    int count;                    // samples
    int width, height, channels;  // of each
    const float *pixels;          // [count, channels, height, width] in 0..1
    const int32_t *labels;        // [count]; -1: none
    struct fum_data_sample *rows; // [count]; captions and names belong to the data set
    const struct fum_data_pick *picks;
};

// Rows of a batch. It consists of groups of `of` rows, and each group has `count` of these from
// `first` on.
struct fum_data_part {
    int first, count, of;
};

struct fum_data_feed_params {
    fum_data *data; // must outlive the feed
    uint64_t seed;
    int batch;     // samples of a batch
    int64_t first; // number of the first batch
    int threads;   // 0: as many as the processors suggest
    // Every batch has the size that the batch of this number has there. NULL: that of its own
    // samples. Must outlive the feed.
    const struct fum_data_order *sizes;
    // The rows that are read; `count` 0: all.
    struct fum_data_part part;
};

typedef struct fum_data_feed fum_data_feed;
// Starts the threads.
enum fum_result fum_data_feed_start(fum_data_feed **feed, const struct fum_data_feed_params *params,
                                    struct fum_error *err);
// Waits for the next batch, which stays valid until the next call. An error comes in place of the
// batch that it is about, and every later call repeats it.
enum fum_result fum_data_feed_next(fum_data_feed *feed, const struct fum_data_batch **batch,
                                   struct fum_error *err);
// Ends the threads after the samples that they are reading.
void fum_data_feed_stop(fum_data_feed **feed);

#endif
