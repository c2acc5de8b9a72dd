// SPDX-License-Identifier: MIT
// Opens the data set of a training.
#include "train/training.h"

#include "base/error.h"

FUM_SETTING_NAMES(kind_name, "auto", "idx", "cifar", "images")

// Returns what the sides of buckets are multiples of; 0: all pictures have one size.
static int read_buckets(struct fum_settings *s) {
    if (!fum_settings_has(s, "data.buckets") || !fum_settings_bool(s, "data.buckets")) return 0;
    return (int)fum_settings_int(s, "data.bucket_step", 1, FUM_MAX_SIDE);
}

// Reads [data].
static struct fum_data_settings read_settings(struct fum_training *t) {
    enum { MAX_CHANNELS = 4 };
    struct fum_settings *s = &t->settings;
    struct fum_data_settings data = {
        .path = fum_settings_string(s, "data.path"),
        .kind = kind_name((size_t)fum_settings_choice(s, "data.kind", kind_name)),
        .width = (int)fum_settings_int(s, "data.width", 0, FUM_MAX_SIDE),
        .height = (int)fum_settings_int(s, "data.height", 0, FUM_MAX_SIDE),
        .channels = (int)fum_settings_int(s, "data.channels", 0, MAX_CHANNELS),
        .flip = fum_settings_bool(s, "data.flip"),
        .label = fum_settings_string(s, "data.label"),
        .split = fum_settings_string(s, "data.split"),
        .limit = fum_settings_int(s, "data.limit", 0, INT64_MAX),
        .bucket_step = read_buckets(s),
        .log = t->params.log,
    };
    if (fum_settings_has(s, "model.classes"))
        data.classes = (int)fum_settings_int(s, "model.classes", 0, 1 << 20);
    if (!data.channels && t->model) data.channels = fum_model_get_view(t->model)->vae.in_channels;
    return data;
}

enum fum_result fum_train_open_data(struct fum_training *t, struct fum_error *err) {
    const struct fum_data_settings settings = read_settings(t);
    enum fum_result result = fum_settings_check(&t->settings, err);
    if (!result && !*settings.path)
        result = fum_error_set(err, FUM_ERR_ARG, "no data set: name one by --data or data.path");
    if (!result) result = fum_data_open(&t->data, &settings, err);
    if (result) return result;
    const struct fum_data_info *info = fum_data_get_info(t->data);
    t->width = info->width;
    t->height = info->height;
    t->channels = info->channels;
    t->classes = info->classes;
    return FUM_OK;
}

enum fum_result fum_train_start_data(struct fum_training *t, struct fum_error *err) {
    const struct fum_data_feed_params params = {.data = t->data,
                                                .seed = t->options.seed,
                                                .batch = t->options.batch * t->options.accumulate,
                                                .first = t->step,
                                                .part = t->part};
    return t->data ? fum_data_feed_start(&t->batches, &params, err) : FUM_OK;
}
