// SPDX-License-Identifier: MIT
// Keeps a recorded step for each size of the pictures. Buckets of a data set have several sizes;
// all steps share the parameters, and what one carries on to the next moves along.
#include "train/training.h"

#include "base/error.h"

static void choose_recording(struct fum_training *t, struct fum_train_recording *chosen) {
    t->now = chosen;
    t->width = chosen->width;
    t->height = chosen->height;
}

enum fum_result fum_train_list_sizes(struct fum_training *t, struct fum_error *err) {
    int count = t->data ? fum_data_get_info(t->data)->buckets : 1;
    t->recordings = fum_arena_alloc(t->arena, (size_t)count, sizeof *t->recordings);
    if (!t->recordings) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a training");
    t->num_recordings = count;
    for (int i = 0; i < count; i++) {
        struct fum_train_recording *r = &t->recordings[i];
        r->width = t->width;
        r->height = t->height;
        if (count == 1) continue;
        r->width = fum_data_get_bucket(t->data, i)->width;
        r->height = fum_data_get_bucket(t->data, i)->height;
    }
    choose_recording(t, t->recordings);
    return FUM_OK;
}

static void free_recording(struct fum_train_recording *r) {
    fum_executable_destroy(&r->executable);
    fum_graph_destroy(&r->graph);
    fum_free(r->buffer);
    fum_free(r->sums);
    *r = (struct fum_train_recording){.width = r->width, .height = r->height};
}

void fum_train_free_recordings(struct fum_training *t) {
    for (int i = 0; i < t->num_recordings; i++) free_recording(&t->recordings[i]);
}

bool fum_train_sides_fit(const struct fum_training *t, int multiple) {
    for (int i = 0; i < t->num_recordings; i++)
        if (t->recordings[i].width % multiple || t->recordings[i].height % multiple) return false;
    return true;
}

enum fum_result fum_train_plan_largest(struct fum_training *t, struct fum_training_size *size,
                                       struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < t->num_recordings && !result; i++) {
        struct fum_training_size each;
        choose_recording(t, &t->recordings[i]);
        result = fum_train_plan(t, &each, err);
        free_recording(t->now);
        if (!result && each.activations > size->activations) *size = each;
    }
    return result;
}

// Compiles the chosen step. Where the device has no room beside the others, they leave.
static enum fum_result compile_chosen(struct fum_training *t, struct fum_error *err) {
    enum fum_result result = fum_train_compile(t, err);
    if (result != FUM_ERR_NOMEM || t->num_recordings == 1) return result;
    fum_train_free_recordings(t);
    return fum_train_compile(t, err);
}

enum fum_result fum_train_choose_size(struct fum_training *t, int width, int height,
                                      struct fum_error *err) {
    struct fum_train_recording *chosen = NULL;
    for (int i = 0; i < t->num_recordings && !chosen; i++)
        if (t->recordings[i].width == width && t->recordings[i].height == height)
            chosen = &t->recordings[i];
    if (!chosen || chosen == t->now) return FUM_OK;
    enum fum_result result = fum_train_read_counters(t, err);
    choose_recording(t, chosen);
    if (!result && !chosen->executable) return compile_chosen(t, err);
    return result ? result : fum_train_write_counters(t, err);
}
