// SPDX-License-Identifier: MIT
// Reads everything that would be drawn from a file, so that a run can be compared number by number.
// Tensors have the step as their first dimension, then the batch, then the sample as the data have
// it: pictures as [channels, height, width].
#include "train/training.h"

#include <stdio.h>
#include <string.h>

#include "base/desc.h"
#include "base/error.h"
#include "base/text.h"

enum fum_result fum_train_open_replay(struct fum_training *t, struct fum_error *err) {
    enum fum_result result = fum_loader_open(&t->replay, t->params.replay, err);
    const struct fum_loader_tensor *x = result ? NULL : fum_loader_find(t->replay, "x");
    if (result) return result;
    if (!x || x->view.rank != 5)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: has no tensor x of [steps, batch, channels, height, width]",
                             t->params.replay);
    t->channels = (int)x->view.dim[2];
    t->height = (int)x->view.dim[3];
    t->width = (int)x->view.dim[4];
    return FUM_OK;
}

// Fills the shape that the value has in the file after step and batch. Returns its dimensions.
static int file_shape(const struct fum_train_value *value, int64_t dims[FUM_MAX_DIMS]) {
    int rank = value->shape.rank;
    for (int i = 0; i < rank; i++) dims[i] = value->shape.dim[i];
    if (value->layout == FUM_TRAIN_PLANES) {
        dims[0] = value->shape.dim[rank - 1];
        for (int i = 1; i < rank; i++) dims[i] = value->shape.dim[i - 1];
    }
    return rank;
}

// Writes "[50, 4, 1, 28, 28]".
static const char *describe(char *text, size_t size, const int64_t *dims, int rank) {
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (at < size) snprintf(text + at, size - at, "]");
    return text;
}

// Returns true if the file's tensor has the shape beside the steps. A flattened picture may
// stand there as [channels, height, width].
static bool same_shape(const struct fum_view *view, const int64_t *want, int rank) {
    int64_t has = 1, needs = 1;
    bool same = view->rank == rank;
    for (int i = 2; i < view->rank; i++) has *= view->dim[i];
    for (int i = 2; i < rank; i++) needs *= want[i];
    for (int i = 2; i < rank && same; i++) same = view->dim[i] == want[i];
    return view->rank >= 2 && view->dim[1] == want[1] && (same || (rank == 3 && has == needs));
}

enum fum_result fum_train_check_replay(const struct fum_training *t, struct fum_train_source *s,
                                       struct fum_error *err) {
    char want_text[96], has_text[96];
    int64_t want[FUM_MAX_DIMS + 2];
    int rank = 2 + file_shape(&s->value, want + 2);
    const struct fum_loader_tensor *tensor = s->replay = fum_loader_find(t->replay, s->value.name);
    want[0] = t->options.steps;
    want[1] = (int64_t)fum_train_whole_rows(t) * t->options.accumulate;
    describe(want_text, sizeof want_text, want, rank);
    if (!tensor)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: has no tensor %s of %s", t->params.replay,
                             s->value.name, want_text);
    const struct fum_view *view = &tensor->view;
    describe(has_text, sizeof has_text, view->dim, view->rank);
    if (!same_shape(view, want, rank))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s is %s; the run needs %s",
                             t->params.replay, s->value.name, has_text, want_text);
    if (view->dim[0] < t->options.steps)
        return fum_error_set(
            err, FUM_ERR_FORMAT, "%s: tensor %s has %lld steps; the run needs %lld (train.steps)",
            t->params.replay, s->value.name, (long long)view->dim[0], (long long)t->options.steps);
    bool integers = s->dtype == FUM_I32;
    if (view->dtype == FUM_DTYPE_UNKNOWN ||
        integers != (view->dtype == FUM_I32 || view->dtype == FUM_I64))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s is of type %s; it must hold %s",
                             t->params.replay, s->value.name, fum_text_show(tensor->type).text,
                             integers ? "i32" : "f32");
    return FUM_OK;
}
