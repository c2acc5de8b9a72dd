// SPDX-License-Identifier: MIT
// Opens folders of pictures and data sets: their pictures go through the network of features.
#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "data/data.h"
#include "evaluate/batch.h"

#include <stdio.h>
#include <string.h>

static bool is_anything(const char *path) {
    (void)path;
    return true;
}

// A batch while it is read.
struct reading {
    fum_data *data;
    struct fum_feature_batch batch;
    int64_t first;
    enum fum_result result[FUM_FEATURE_BATCH]; // of each picture
    struct fum_error error[FUM_FEATURE_BATCH];
};

static void read_picture(void *user, size_t i) {
    struct reading *r = user;
    struct fum_bitmap bitmap;
    r->result[i] = fum_data_read_bitmap(r->data, r->first + (int64_t)i, &bitmap, &r->error[i]);
    if (!r->result[i]) r->result[i] = fum_feature_batch_write(&r->batch, i, &bitmap, &r->error[i]);
    fum_bitmap_free(&bitmap);
}

// Moves the pictures that could be read to the begin of the batch. *good: how many they are. Broken
// ones are logged and skipped.
static enum fum_result keep_good(const struct reading *r, size_t count, size_t *good,
                                 struct fum_error *err) {
    size_t numbers = fum_feature_picture_numbers(&r->batch.context->network);
    float *pixels = r->batch.pixels;
    int32_t *labels = r->batch.set->labels;
    *good = 0;
    for (size_t i = 0; i < count; i++) {
        if (!r->result[i]) {
            if (*good < i)
                memcpy(pixels + *good * numbers, pixels + i * numbers, numbers * sizeof *pixels);
            if (labels)
                labels[r->batch.rows + *good] = fum_data_label(r->data, r->first + (int64_t)i);
            ++*good;
        } else if (fum_data_is_broken(r->result[i])) {
            fum_data_note_broken(r->data, r->first + (int64_t)i, &r->error[i]);
        } else {
            if (err) *err = r->error[i];
            return r->result[i];
        }
    }
    return FUM_OK;
}

// Returns true if each class is named by its number: a label then means the same in all such data.
static bool has_numbers(const fum_data *data) {
    for (int i = 0; i < fum_data_get_info(data)->classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(fum_data_class_name(data, i), number) != 0) return false;
    }
    return true;
}

static enum fum_result allocate_labels(struct reading *r, size_t total, struct fum_error *err) {
    struct fum_set *set = r->batch.set;
    set->classes = fum_data_get_info(r->data)->classes;
    if (!set->classes) return FUM_OK;
    set->numbered = has_numbers(r->data);
    set->labels = fum_alloc(total, sizeof *set->labels);
    if (set->labels) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu labels", set->path, total);
}

static enum fum_result read_all(struct reading *r, struct fum_error *err) {
    size_t total = (size_t)fum_data_get_info(r->data)->count, batch = FUM_FEATURE_BATCH;
    enum fum_result result = fum_feature_batch_begin(&r->batch, total, err);
    if (!result) result = allocate_labels(r, total, err);
    for (size_t first = 0; first < total && !result; first += batch) {
        size_t count = FUM_MIN(batch, total - first), good = 0;
        r->first = (int64_t)first;
        fum_spread(count, read_picture, r);
        result = keep_good(r, count, &good, err);
        if (!result) result = fum_feature_batch_run(&r->batch, good, err);
        if (!result) result = fum_feature_batch_report(&r->batch, first + count, total, err);
    }
    return result;
}

// Returns how many samples are read at most; 0: all. Where a model draws `count` pictures, they are
// compared with all real ones.
static int choose_limit(const struct fum_evaluate_params *params) {
    bool draws = (params->real && fum_set_model.probe(params->real)) ||
                 (params->fake && fum_set_model.probe(params->fake));
    return draws ? 0 : params->count;
}

static enum fum_result open_data(struct fum_set *set, struct fum_set_context *context,
                                 struct fum_error *err) {
    struct reading r = {.batch = {.set = set, .context = context}};
    // The size is not used: pictures are read as they are.
    const struct fum_data_settings settings = {.path = set->path,
                                               .width = 1,
                                               .height = 1,
                                               .channels = 3,
                                               .limit = choose_limit(context->params),
                                               .log = context->params->log};
    enum fum_result result = fum_data_open(&r.data, &settings, err);
    if (!result) result = read_all(&r, err);
    result = fum_feature_batch_end(&r.batch, result, err);
    fum_data_close(&r.data);
    return result;
}

const struct fum_set_kind fum_set_data = {"a data set", is_anything, open_data};
