// SPDX-License-Identifier: MIT
// Kinds of data sets as records: how each is recognised, opened and read.
#ifndef FUM_DATA_READER_H
#define FUM_DATA_READER_H

#include "base/alloc.h"
#include "data/data.h"
#include "io/image.h"

// A data set's samples as its files hold them.
struct fum_data_source {
    const struct fum_data_reader *reader;
    void *state;                 // the reader's own
    fum_arena *arena;            // holds what follows, and what the reader likes
    int64_t count;               // a folder without pictures is an error
    int width, height, channels; // of all samples; 0: they may differ
    const int32_t *labels;       // [count]; NULL: none
    const char **captions;       // [count]; NULL: none
    const char **keywords;       // [count]; NULL: none
    const char **names;          // [count], as messages call the samples; NULL: by number
    int classes;                 // 0: one more than the largest label
    const char **class_names;    // [classes]; NULL: numbers
};

struct fum_data_reader {
    const char *name; // the value of data.kind
    // Finds whether the path is a data set of this kind. Fails only if memory is out.
    enum fum_result (*probe)(const char *path, bool *found, struct fum_error *err);
    enum fum_result (*open)(struct fum_data_source *source,
                            const struct fum_data_settings *settings, struct fum_error *err);
    // Reads a picture, with any number of channels. Any number of threads may read.
    enum fum_result (*read)(const struct fum_data_source *source, int64_t index,
                            struct fum_bitmap *bitmap, struct fum_error *err);
    // Reads a picture's size and channels alone, without pixels.
    enum fum_result (*measure)(const struct fum_data_source *source, int64_t index,
                               struct fum_bitmap *bitmap, struct fum_error *err);
    void (*close)(struct fum_data_source *source); // frees the state; may be NULL
};

extern const struct fum_data_reader fum_data_reader_idx, fum_data_reader_cifar,
    fum_data_reader_images;

#endif
