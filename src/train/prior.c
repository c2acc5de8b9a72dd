// SPDX-License-Identifier: MIT
// The second data set of DreamBooth: pictures of the class in general, which keep the model from
// forgetting it. Those that are missing are drawn by the model itself before the training begins.
#include "train/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"

#include <fumarole/pipeline.h>

struct fum_train_prior {
    fum_data *data; // NULL: replayed
    fum_data_feed *batches;
    struct fum_data_order instances; // gives the sizes of the batches
    struct fum_data_batch merged;    // instances and prior of a step
    float *pixels;
    struct fum_data_sample *rows;
};

// ---- drawing ----

struct drawing {
    const struct fum_training *training;
    const char *folder;
    int number; // of the next picture's name
    struct fum_error error;
};

static bool save_image(void *user, const struct fum_image *image) {
    struct drawing *d = user;
    char path[FUM_TRAIN_PATH];
    do snprintf(path, sizeof path, "%s/prior-%05d.png", d->folder, d->number++);
    while (fum_path_may_exist(path));
    return fum_image_save(image, path, &d->error) == FUM_OK;
}

// Returns the recording whose pictures are nearest to squares, which models draw best.
static const struct fum_train_recording *squarest(const struct fum_training *t) {
    const struct fum_train_recording *best = t->recordings;
    for (int i = 1; i < t->num_recordings; i++) {
        const struct fum_train_recording *r = &t->recordings[i];
        if (abs(r->width - r->height) < abs(best->width - best->height)) best = r;
    }
    return best;
}

// Draws pictures into the folder, from number d->number on up to `needed`.
static enum fum_result draw_missing(struct fum_training *t, struct drawing *d, int needed,
                                    struct fum_error *err) {
    int count = needed - d->number;
    const struct fum_pipeline_params storage = {.log = t->params.log};
    const struct fum_train_recording *size = squarest(t);
    const struct fum_generate_params request = {
        .prompt = fum_settings_string(&t->settings, "prior.caption"),
        .width = size->width,
        .height = size->height,
        .seed = t->options.seed + (uint64_t)d->number,
        .count = count,
        .on_image = save_image,
        .user = d};
    fum_pipeline *pipeline = NULL;
    fum_log(t->params.log, FUM_LOG_INFO, "drawing %d pictures of the prior into %s", count,
            d->folder);
    enum fum_result result = fum_pipeline_create(&pipeline, t->device, t->model, &storage, err);
    if (!result) result = fum_generate(pipeline, &request, err);
    fum_pipeline_destroy(&pipeline);
    if (d->error.code && err) *err = d->error;
    return d->error.code ? d->error.code : result;
}

// Counts the files of the folder, which is made if it is missing. Hidden ones may be pictures that
// a run was killed on.
static enum fum_result count_pictures(struct fum_training *t, const char *folder, int *count,
                                      struct fum_error *err) {
    struct fum_path_names names = {0};
    enum fum_result result = fum_path_make_dirs(folder, err);
    if (!result) result = fum_path_list(t->arena, folder, &names, err);
    *count = 0;
    for (size_t i = 0; i < names.count; i++) *count += names.names[i][0] != '.';
    return result;
}

// ---- reading ----

// Returns the pixels of the largest picture.
static size_t most_pixels(const struct fum_training *t) {
    size_t most = 0;
    for (int i = 0; i < t->num_recordings; i++) {
        size_t pixels = (size_t)t->recordings[i].width * (size_t)t->recordings[i].height;
        most = FUM_MAX(most, pixels);
    }
    return most;
}

static enum fum_result open_batches(struct fum_training *t, const char *folder,
                                    struct fum_error *err) {
    struct fum_train_prior *p = t->prior;
    int batch = t->options.batch * t->options.accumulate;
    const struct fum_data_settings settings = {.path = folder,
                                               .kind = "images",
                                               .width = t->width,
                                               .height = t->height,
                                               .channels = t->channels,
                                               .log = t->params.log};
    enum fum_result result = fum_data_open(&p->data, &settings, err);
    p->instances = (struct fum_data_order){t->data, t->options.seed, batch};
    const struct fum_data_feed_params feed = {.data = p->data,
                                              .seed = ~t->options.seed,
                                              .batch = batch,
                                              .first = t->step,
                                              .sizes = &p->instances,
                                              .part = t->part};
    if (!result) result = fum_data_feed_start(&p->batches, &feed, err);
    if (result) return result;
    batch = t->part.count * t->options.accumulate;
    size_t pixels = most_pixels(t) * (size_t)t->channels;
    p->pixels = fum_alloc(2 * (size_t)batch * pixels, sizeof *p->pixels);
    p->rows = fum_alloc(2 * (size_t)batch, sizeof *p->rows);
    p->merged = (struct fum_data_batch){
        .count = 2 * batch, .channels = t->channels, .pixels = p->pixels, .rows = p->rows};
    return p->pixels && p->rows ? FUM_OK
                                : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a batch");
}

enum fum_result fum_train_open_prior(struct fum_training *t, struct fum_error *err) {
    const char *folder = fum_settings_string(&t->settings, "prior.path");
    int wanted = (int)fum_settings_int(&t->settings, "prior.count", 1, 1 << 20), found = 0;
    enum fum_result result = fum_settings_check(&t->settings, err);
    if (result || t->params.replay) return result;
    if (!*folder) folder = fum_path_join(t->arena, t->dir, "prior");
    t->prior = fum_calloc(1, sizeof *t->prior);
    if (!folder || !t->prior) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a prior");
    result = count_pictures(t, folder, &found, err);
    struct drawing drawing = {.training = t, .folder = folder, .number = found};
    bool draws = fum_train_is_first(t) && found < wanted;
    if (!result && draws) result = draw_missing(t, &drawing, wanted, err);
    if (!result) result = fum_train_meet(t, err);
    return result ? result : open_batches(t, folder, err);
}

// Copies `count` samples of a batch from index `from` to index `to` of the merged one.
static void copy_samples(struct fum_train_prior *p, const struct fum_data_batch *batch, int from,
                         int to, int count) {
    size_t each = (size_t)batch->width * (size_t)batch->height * (size_t)batch->channels;
    memcpy(p->pixels + (size_t)to * each, batch->pixels + (size_t)from * each,
           (size_t)count * each * sizeof *p->pixels);
    memcpy(p->rows + to, batch->rows + from, (size_t)count * sizeof *p->rows);
}

enum fum_result fum_train_add_prior(struct fum_training *t, const struct fum_data_batch **batch,
                                    struct fum_error *err) {
    const struct fum_data_batch *instances = *batch, *priors = NULL;
    struct fum_train_prior *p = t->prior;
    int each = t->part.count;
    enum fum_result result = fum_data_feed_next(p->batches, &priors, err);
    p->merged.width = instances->width;
    p->merged.height = instances->height;
    for (int i = 0; i < t->options.accumulate && !result; i++) {
        copy_samples(p, instances, i * each, 2 * i * each, each);
        copy_samples(p, priors, i * each, (2 * i + 1) * each, each);
    }
    *batch = &p->merged;
    return result;
}

void fum_train_close_prior(struct fum_training *t) {
    struct fum_train_prior *p = t->prior;
    if (!p) return;
    fum_data_feed_stop(&p->batches);
    fum_data_close(&p->data);
    fum_free(p->pixels);
    fum_free(p->rows);
    fum_free(p);
    t->prior = NULL;
}
