// SPDX-License-Identifier: MIT
#include "data/data.h"

#include "base/error.h"
#include "base/log.h"
#include "data/fit.h"
#include "data/inside.h"

#include <stdio.h>

enum fum_result fum_data_no_memory(const char *path, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the data set", path);
}

const struct fum_data_info *fum_data_get_info(const fum_data *data) {
    return &data->info;
}

const char *fum_data_class_name(const fum_data *data, int label) {
    if (label < 0 || label >= data->info.classes) return "";
    return data->source.class_names ? data->source.class_names[label] : data->numbers[label];
}

const int64_t *fum_data_class_counts(const fum_data *data) {
    return data->class_counts;
}

const struct fum_data_bucket *fum_data_get_bucket(const fum_data *data, int bucket) {
    return &data->buckets[bucket];
}

struct fum_data_pick fum_data_pick_plain(const fum_data *data, int64_t index) {
    return (struct fum_data_pick){.index = index,
                                  .bucket = data->bucket_of ? data->bucket_of[index] : 0};
}

// ---- reading ----

enum fum_result fum_data_read_bitmap(const fum_data *data, int64_t index, struct fum_bitmap *bitmap,
                                     struct fum_error *err) {
    int64_t i = fum_data_source_index(data, index);
    *bitmap = (struct fum_bitmap){0};
    return data->source.reader->read(&data->source, i, bitmap, err);
}

static const char *text_of(const char *const *texts, int64_t index) {
    return texts && texts[index] ? texts[index] : "";
}

int32_t fum_data_label(const fum_data *data, int64_t index) {
    const struct fum_data_source *source = &data->source;
    return source->labels ? source->labels[fum_data_source_index(data, index)] : -1;
}

enum fum_result fum_data_read(const fum_data *data, struct fum_data_pick pick, float *pixels,
                              struct fum_data_sample *sample, struct fum_error *err) {
    const struct fum_data_source *source = &data->source;
    int width = pick.width ? pick.width : data->buckets[pick.bucket].width,
        height = pick.height ? pick.height : data->buckets[pick.bucket].height;
    int64_t i = fum_data_source_index(data, pick.index);
    struct fum_bitmap bitmap = {0};
    enum fum_result result = pixels ? source->reader->read(source, i, &bitmap, err)
                                    : source->reader->measure(source, i, &bitmap, err);
    if (result) return result;
    struct fum_fit fit = fum_fit_cover(&bitmap, width, height);
    *sample = (struct fum_data_sample){.label = fum_data_label(data, pick.index),
                                       .caption = text_of(source->captions, i),
                                       .keywords = text_of(source->keywords, i),
                                       .name = text_of(source->names, i),
                                       .width = width,
                                       .height = height,
                                       .source_width = bitmap.width,
                                       .source_height = bitmap.height,
                                       .crop_left = (int)fit.left,
                                       .crop_top = (int)fit.top};
    const struct fum_fit_target to = {width, height, data->info.channels, pick.flip, pixels};
    if (pixels) result = fum_fit_picture(&bitmap, &to, err);
    fum_bitmap_free(&bitmap);
    return result;
}

// ---- broken pictures ----

bool fum_data_is_broken(enum fum_result result) {
    return result == FUM_ERR_FORMAT || result == FUM_ERR_IO || result == FUM_ERR_UNSUPPORTED;
}

void fum_data_note_broken(fum_data *data, int64_t index, const struct fum_error *error) {
    pthread_mutex_lock(&data->lock);
    bool first = !data->broken[index];
    data->broken[index] = true;
    data->broken_count += first;
    if (first) fum_log(&data->log, FUM_LOG_WARN, "skipped: %s", error->text);
    pthread_mutex_unlock(&data->lock);
}

bool fum_data_was_broken(fum_data *data, int64_t index) {
    pthread_mutex_lock(&data->lock);
    bool broken = data->broken[index];
    pthread_mutex_unlock(&data->lock);
    return broken;
}

int64_t fum_data_broken_count(fum_data *data) {
    pthread_mutex_lock(&data->lock);
    int64_t count = data->broken_count;
    pthread_mutex_unlock(&data->lock);
    return count;
}
enum fum_result fum_data_measure(const fum_data *data, int64_t index, struct fum_bitmap *size,
                                 struct fum_error *err) {
    const struct fum_data_source *source = &data->source;
    return source->reader->measure(source, fum_data_source_index(data, index), size, err);
}

const char *fum_data_name(const fum_data *data, int64_t index, char number[FUM_DATA_NUMBER]) {
    int64_t i = fum_data_source_index(data, index);
    if (data->source.names) return data->source.names[i];
    snprintf(number, FUM_DATA_NUMBER, "%lld", (long long)i);
    return number;
}
