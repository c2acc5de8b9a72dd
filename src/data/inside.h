// SPDX-License-Identifier: MIT
// Declares what an open data set holds, for the files that open it.
#ifndef FUM_DATA_INSIDE_H
#define FUM_DATA_INSIDE_H

#include "data/reader.h"

#include <pthread.h>

enum { FUM_DATA_NUMBER = 24, FUM_DATA_MAX_CLASSES = 1 << 20 };

struct fum_data {
    struct fum_data_source source;
    struct fum_data_info info;
    struct fum_log log;
    fum_arena *arena;
    int64_t *selected;                // the source's indices of the samples; NULL: all, in order
    char (*numbers)[FUM_DATA_NUMBER]; // names of classes that have none
    int64_t *class_counts;
    struct fum_data_bucket *buckets;
    int *bucket_of;       // of each sample; NULL: one bucket
    pthread_mutex_t lock; // guards what follows
    bool *broken;         // of each sample
    int64_t broken_count;
};

// Returns the index of a sample in the source.
static inline int64_t fum_data_source_index(const struct fum_data *data, int64_t index) {
    return data->selected ? data->selected[index] : index;
}
// Returns the name of a sample in its source, or its number as text.
const char *fum_data_name(const fum_data *data, int64_t index, char number[FUM_DATA_NUMBER]);
// Reads the size and channels of a sample's picture.
enum fum_result fum_data_measure(const fum_data *data, int64_t index, struct fum_bitmap *size,
                                 struct fum_error *err);
enum fum_result fum_data_no_memory(const char *path, struct fum_error *err);

// Finds how many classes there are, and names those without a name by number.
enum fum_result fum_data_name_classes(fum_data *data, const char *path, struct fum_error *err);
// Selects the samples of chosen classes, at most as many as the limit says, and counts them.
enum fum_result fum_data_select(fum_data *data, const struct fum_data_settings *settings,
                                struct fum_error *err);
// Groups the samples by size; without buckets they share the one in data->info.
enum fum_result fum_data_make_buckets(fum_data *data, const struct fum_data_settings *settings,
                                      struct fum_error *err);

#endif
