// SPDX-License-Identifier: MIT
// Data sets as training and measures read them: numbered pictures with a label or a caption.
//
// A data set is a file or folder of a kind that a reader (reader.h) understands. Opening finds the
// samples; pictures of folders are decoded when they are read. order.h draws samples for a run,
// feed.h reads them ahead on threads.
#ifndef FUM_DATA_DATA_H
#define FUM_DATA_DATA_H

#include "io/image.h"

// The section [data] of a recipe. A zeroed struct with a path reads everything as it is.
struct fum_data_settings {
    const char *path;
    const char *kind; // "idx", "cifar" or "images"; "auto", "" or NULL: recognised by the files
    int width,
        height;   // pictures are scaled and cropped around their middle; 0: the data's own size
    int channels; // 1, 3 or 4; 0: the data's own
    bool flip;    // half of a run's samples are mirrored
    // Classes to use, by name or number: "3,5". NULL or "": all. Labels keep their numbers.
    const char *label;
    // The part to use, "train" by default. IDX and CIFAR-10 have "train" and "test". Tables of
    // captions have those of their column `split`; "all" takes every row.
    const char *split;
    int64_t limit; // samples used at most, the first ones; 0: all
    int classes;   // labels from this number on are an error; 0: unchecked
    // Width and height are an area, and each picture gets the sides nearest to its own ratio. They
    // are multiples of this many pixels (64 in kohya's scripts). 0: all pictures have one size.
    int bucket_step;
    const struct fum_log *log; // warnings about broken pictures; may be NULL
};

typedef struct fum_data fum_data;
enum fum_result fum_data_open(fum_data **data, const struct fum_data_settings *settings,
                              struct fum_error *err);
// Logs how many pictures were broken, if any were.
void fum_data_close(fum_data **data);

struct fum_data_info {
    const char *kind; // of the reader
    int64_t count;    // at least 1
    // The size of every sample; with buckets, that of the largest sides.
    int width, height, channels;
    int classes; // labels are below it; 0: samples have none
    bool captions;
    bool flip;
    int buckets; // 1: all samples have one size
};
const struct fum_data_info *fum_data_get_info(const fum_data *data);
// Returns the name of a class; its number as text where the data names none. Never NULL.
const char *fum_data_class_name(const fum_data *data, int label);
// Returns the class of a sample; -1: none.
int32_t fum_data_label(const fum_data *data, int64_t index);
// Returns the samples of each class, info->classes numbers.
const int64_t *fum_data_class_counts(const fum_data *data);

// The samples of one size.
struct fum_data_bucket {
    int width, height;
    int64_t count;
    const int64_t *samples; // their indices; NULL: 0 to count - 1
};
const struct fum_data_bucket *fum_data_get_bucket(const fum_data *data, int bucket);

// Which sample, in the size of which bucket, and whether mirrored.
struct fum_data_pick {
    int64_t index;
    int bucket;
    bool flip;
    int width, height; // of the result; 0: those of the bucket
};
// Returns the pick of a sample in the size of its own bucket.
struct fum_data_pick fum_data_pick_plain(const fum_data *data, int64_t index);

struct fum_data_sample {
    int32_t label;                   // -1: none
    const char *caption;             // "": none
    const char *keywords;            // more words, separated by commas; "": none
    const char *name;                // of its file; "" in files of many samples
    int width, height;               // of its pixels
    int source_width, source_height; // of the picture before it was scaled
    int crop_left, crop_top;         // of the scaled picture
};
// Reads one sample as [channels, height, width] in 0..1. `pixels` may be NULL: all but the sizes of
// the source. Any number of threads may read. A broken picture is an error that names it.
enum fum_result fum_data_read(const fum_data *data, struct fum_data_pick pick, float *pixels,
                              struct fum_data_sample *sample, struct fum_error *err);

// Reads the picture of a sample as its source has it, in its own size. Free it with
// fum_bitmap_free.
enum fum_result fum_data_read_bitmap(const fum_data *data, int64_t index, struct fum_bitmap *bitmap,
                                     struct fum_error *err);

// True if the error of a read is about that picture alone, so that others may still be read.
bool fum_data_is_broken(enum fum_result result);
// Counts a broken sample and logs the error, once for each sample.
void fum_data_note_broken(fum_data *data, int64_t index, const struct fum_error *error);
// True if the sample was noted.
bool fum_data_was_broken(fum_data *data, int64_t index);
int64_t fum_data_broken_count(fum_data *data);

#endif
