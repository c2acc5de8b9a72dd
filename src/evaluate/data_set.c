// SPDX-License-Identifier: MIT
// Opens folders of pictures and data sets: their pictures go through the network of features.
#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "data/data.h"
#include "evaluate/pictures.h"
#include "evaluate/set.h"

#include <stdio.h>
#include <string.h>

static bool is_anything(const char *path) {
    (void)path;
    return true;
}

// A batch while it is read.
struct batch {
    fum_data *data;
    const struct fum_feature_network *network;
    int64_t first;
    float *pixels;           // of all
    enum fum_result *result; // of each picture
    struct fum_error *error;
};

static void read_picture(void *user, size_t i) {
    const struct batch *b = user;
    const struct fum_feature_network *network = b->network;
    struct fum_error *err = &b->error[i];
    struct fum_bitmap bitmap, converted = {0};
    enum fum_result result = fum_data_read_bitmap(b->data, b->first + (int64_t)i, &bitmap, err);
    if (!result) result = fum_bitmap_convert(&bitmap, network->channels, &converted, err);
    if (!result)
        fum_picture_scale(&converted, network->picture_width, network->picture_height,
                          b->pixels + i * fum_feature_picture_numbers(network));
    b->result[i] = result;
    fum_bitmap_free(&bitmap);
    fum_bitmap_free(&converted);
}

// Moves the pictures that could be read to the begin of the batch. *good: how many they are. Broken
// ones are logged and skipped.
static enum fum_result keep_good(const struct batch *b, size_t count, size_t *good,
                                 struct fum_error *err) {
    size_t numbers = fum_feature_picture_numbers(b->network);
    *good = 0;
    for (size_t i = 0; i < count; i++) {
        if (!b->result[i]) {
            if (*good < i)
                memcpy(b->pixels + *good * numbers, b->pixels + i * numbers,
                       numbers * sizeof *b->pixels);
            ++*good;
        } else if (fum_data_is_broken(b->result[i])) {
            fum_data_note_broken(b->data, b->first + (int64_t)i, &b->error[i]);
        } else {
            *err = b->error[i];
            return b->result[i];
        }
    }
    return FUM_OK;
}

static enum fum_result allocate(struct fum_set *set, struct batch *b, size_t total,
                                struct fum_error *err) {
    const struct fum_feature_network *network = b->network;
    size_t batch = (size_t)FUM_FEATURE_BATCH, rows = total + batch;
    b->pixels = fum_calloc(fum_feature_picture_numbers(network), batch * sizeof *b->pixels);
    b->result = fum_calloc(batch, sizeof *b->result);
    b->error = fum_calloc(batch, sizeof *b->error);
    set->features = fum_alloc(rows, network->width * sizeof *set->features);
    set->logits = network->classes ? fum_alloc(rows, network->classes * sizeof *set->logits) : NULL;
    if (b->pixels && b->result && b->error && set->features && (set->logits || !network->classes))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the features of %zu pictures",
                         set->path, total);
}

static enum fum_result report(const struct fum_evaluate_params *params, const char *path,
                              size_t done, size_t total, struct fum_error *err) {
    if (!params->on_picture || params->on_picture(params->user, path, done, total)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
}

static enum fum_result run_all(struct fum_set *set, struct fum_set_context *context,
                               struct batch *b, struct fum_error *err) {
    struct fum_feature_network *network = &context->network;
    size_t total = (size_t)fum_data_get_info(b->data)->count, batch = (size_t)FUM_FEATURE_BATCH,
           rows = 0;
    enum fum_result result = allocate(set, b, total, err);
    for (size_t first = 0; first < total && !result; first += batch) {
        size_t count = FUM_MIN(batch, total - first), good = 0;
        b->first = (int64_t)first;
        fum_spread(count, read_picture, b);
        result = keep_good(b, count, &good, err);
        if (!result && good)
            result = network->run(network, b->pixels, set->features + rows * network->width,
                                  set->logits + rows * network->classes, err);
        rows += good;
        if (!result) result = report(context->params, set->path, first + count, total, err);
    }
    if (!result && !rows)
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: no picture could be read", set->path);
    set->rows = (struct fum_rows){.f32 = set->features, .count = rows, .width = network->width};
    set->scores = (struct fum_rows){
        .f32 = set->logits, .count = set->logits ? rows : 0, .width = network->classes};
    return result;
}

static enum fum_result open_data(struct fum_set *set, struct fum_set_context *context,
                                 struct fum_error *err) {
    const struct fum_evaluate_params *params = context->params;
    struct batch b = {.network = &context->network};
    // The size is not used: pictures are read as they are.
    const struct fum_data_settings settings = {.path = set->path,
                                               .width = 1,
                                               .height = 1,
                                               .channels = 3,
                                               .limit = params->count,
                                               .log = params->log};
    enum fum_result result = fum_data_open(&b.data, &settings, err);
    if (!result && !context->network.run)
        result = fum_features_open(&context->network, params, err);
    if (!result) result = run_all(set, context, &b, err);
    snprintf(set->origin, sizeof set->origin, "%s", params->features ? params->features : "");
    fum_free(b.pixels);
    fum_free(b.result);
    fum_free(b.error);
    fum_data_close(&b.data);
    return result;
}

const struct fum_set_kind fum_set_data = {"a data set", is_anything, open_data};
