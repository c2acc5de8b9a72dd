// SPDX-License-Identifier: MIT
// Writes the batch of a step, from the data or from a replay.
#include "train/training.h"

#include <math.h>
#include <string.h>

#include "base/desc.h"
#include "base/dtype.h"
#include "base/error.h"

// Reorders pictures of [channels, height, width] to [height, width, channels].
static void planes_to_pixels(const float *from, float *to, const struct fum_shape *sample,
                             int64_t samples) {
    int64_t pixels = sample->dim[0] * sample->dim[1], channels = sample->dim[2];
    for (int64_t s = 0; s < samples; s++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t p = 0; p < pixels; p++)
                to[(s * pixels + p) * channels + c] = from[(s * channels + c) * pixels + p];
}

static enum fum_result write_floats(struct fum_training *t, const struct fum_train_source *s,
                                    const float *values, size_t count, struct fum_error *err) {
    if (s->value.layout == FUM_TRAIN_FLAT || s->value.shape.rank != 3)
        return fum_executable_write(t->now->executable, s->all, values, count, err);
    float *pixels = (float *)t->now->buffer + count;
    struct fum_shape all = fum_tensor_shape(s->all);
    planes_to_pixels(values, pixels, &s->value.shape, all.dim[0]);
    return fum_executable_write(t->now->executable, s->all, pixels, count, err);
}

// Returns a whole number of a file.
static int64_t read_integer(const void *from, enum fum_dtype dtype, size_t index) {
    int64_t wide = 0;
    int32_t narrow = 0;
    if (dtype == FUM_I64)
        memcpy(&wide, (const char *)from + 8 * index, 8);
    else
        memcpy(&narrow, (const char *)from + 4 * index, 4);
    return dtype == FUM_I64 ? wide : narrow;
}

// Writes whole numbers, and the values that are computed from them.
static enum fum_result write_integers(struct fum_training *t, const struct fum_train_source *s,
                                      const int32_t *values, struct fum_error *err) {
    struct fum_shape all = fum_tensor_shape(s->all);
    size_t count = (size_t)fum_shape_count(&all),
           samples = (size_t)t->rows * (size_t)t->options.accumulate;
    const struct fum_train_rows rows = {samples, count / samples};
    void *derived = (int32_t *)t->now->buffer + count;
    enum fum_result result =
        fum_executable_write_i32(t->now->executable, s->all, values, count, err);
    for (int i = 0; i < t->now->num_sources && !result; i++) {
        const struct fum_train_source *d = &t->now->sources[i];
        if (d->origin != FUM_TRAIN_DERIVED || &t->now->sources[d->from] != s) continue;
        all = fum_tensor_shape(d->all);
        size_t elements = (size_t)fum_shape_count(&all);
        d->derive(t, values, &rows, derived);
        result = d->dtype == FUM_I32
                     ? fum_executable_write_i32(t->now->executable, d->all, derived, elements, err)
                     : fum_executable_write(t->now->executable, d->all, derived, elements, err);
    }
    return result;
}

// Moves this rank's rows of a step to the front of all ranks'.
static void keep_own_rows(const struct fum_training *t, uint8_t *raw, size_t row_bytes) {
    const struct fum_data_part *part = &t->part;
    size_t own = (size_t)part->count * row_bytes, whole = (size_t)part->of * row_bytes;
    int groups = t->rows / part->count * t->options.accumulate;
    for (int i = 0; i < groups; i++)
        memmove(raw + (size_t)i * own, raw + (size_t)i * whole + (size_t)part->first * row_bytes,
                own);
}

static enum fum_result fail_replayed(const struct fum_training *t, const struct fum_train_source *s,
                                     double value, struct fum_error *err) {
    long long step = (long long)t->step;
    if (s->dtype == FUM_F32)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: %s[%lld] holds a value that is no number",
                             t->params.replay, s->value.name, step);
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: %s[%lld] holds %.0f; the run needs 0 to %lld",
                         t->params.replay, s->value.name, step, value, (long long)s->limit - 1);
}

// Writes whole numbers of the replay file, all of which must be below the source's limit.
static enum fum_result write_replayed_integers(struct fum_training *t,
                                               const struct fum_train_source *s, const void *raw,
                                               size_t count, struct fum_error *err) {
    int32_t *values = t->now->buffer;
    for (size_t i = 0; i < count; i++) {
        int64_t value = read_integer(raw, s->replay->view.dtype, i);
        if (value < 0 || value >= s->limit) return fail_replayed(t, s, (double)value, err);
        values[i] = (int32_t)value;
    }
    return write_integers(t, s, values, err);
}

// Writes real numbers of the replay file, all of which must be finite.
static enum fum_result write_replayed_floats(struct fum_training *t,
                                             const struct fum_train_source *s, const void *raw,
                                             size_t count, struct fum_error *err) {
    float *values = t->now->buffer;
    fum_convert_to_f32(values, raw, s->replay->view.dtype, count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return fail_replayed(t, s, 0, err);
    return write_floats(t, s, values, count, err);
}

// Writes one step's rows of the replay file.
static enum fum_result write_replayed(struct fum_training *t, const struct fum_train_source *s,
                                      struct fum_error *err) {
    struct fum_view view = s->replay->view;
    struct fum_shape all = fum_tensor_shape(s->all);
    size_t count = (size_t)fum_shape_count(&all),
           samples = (size_t)(t->rows * t->options.accumulate);
    size_t row_bytes = count / samples * fum_dtype_size(view.dtype);
    uint64_t bytes =
        (uint64_t)fum_train_whole_rows(t) * (uint64_t)t->options.accumulate * row_bytes;
    void *raw = fum_alloc(bytes ? bytes : 1, 1);
    if (!raw) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a step of the replay");
    enum fum_result result = fum_view_read(&view, (uint64_t)t->step * bytes, bytes, raw, err);
    if (!result) keep_own_rows(t, raw, row_bytes);
    if (!result)
        result = s->dtype == FUM_I32 ? write_replayed_integers(t, s, raw, count, err)
                                     : write_replayed_floats(t, s, raw, count, err);
    fum_free(raw);
    return result;
}

// Writes token ids of the captions, or sizes of the pictures.
static enum fum_result write_conditions(struct fum_training *t, const struct fum_train_source *s,
                                        const struct fum_data_batch *batch, struct fum_error *err) {
    struct fum_shape all = fum_tensor_shape(s->all);
    if (s->origin == FUM_TRAIN_SIZES) {
        fum_train_describe_sizes(t, batch, (int)s->value.shape.dim[0], t->now->buffer);
        return fum_executable_write(t->now->executable, s->all, t->now->buffer,
                                    (size_t)fum_shape_count(&all), err);
    }
    enum fum_result result = fum_train_encode_captions(t, batch, t->now->buffer, err);
    return result ? result : write_integers(t, s, t->now->buffer, err);
}

// Writes a batch of the data.
static enum fum_result write_data(struct fum_training *t, const struct fum_train_source *s,
                                  const struct fum_data_batch *batch, struct fum_error *err) {
    size_t count = (size_t)batch->count;
    if (s->origin == FUM_TRAIN_LABELS)
        return fum_executable_write_i32(t->now->executable, s->all, batch->labels, count, err);
    count *= (size_t)batch->width * (size_t)batch->height * (size_t)batch->channels;
    float *pixels = t->now->buffer;
    for (size_t i = 0; i < count; i++)
        pixels[i] = t->recipe->images_signed ? 2 * batch->pixels[i] - 1 : batch->pixels[i];
    return write_floats(t, s, pixels, count, err);
}

enum fum_result fum_train_feed(struct fum_training *t, struct fum_error *err) {
    const struct fum_data_batch *batch = NULL;
    enum fum_result result = FUM_OK;
    if (t->batches) result = fum_data_feed_next(t->batches, &batch, err);
    if (!result && batch) result = fum_train_choose_size(t, batch->width, batch->height, err);
    if (!result && t->prior) result = fum_train_add_prior(t, &batch, err);
    for (int i = 0; i < t->now->num_sources && !result; i++) {
        const struct fum_train_source *s = &t->now->sources[i];
        if (s->replay)
            result = write_replayed(t, s, err);
        else if (s->origin == FUM_TRAIN_TOKENS || s->origin == FUM_TRAIN_SIZES)
            result = write_conditions(t, s, batch, err);
        else if (s->origin != FUM_TRAIN_DERIVED && s->origin != FUM_TRAIN_DRAWN)
            result = write_data(t, s, batch, err);
    }
    return result;
}
