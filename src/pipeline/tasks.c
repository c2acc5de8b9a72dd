// SPDX-License-Identifier: MIT
// Finds the tasks that a request calls for, and calls their hooks in order.
#include "pipeline/task.h"

#include "base/error.h"
#include "pipeline/pipeline.h"

static const struct fum_task *const tasks[] = {
#define FUM_TASK(name) &fum_task_##name,
#include "pipeline/tasks.def"
#undef FUM_TASK
};

// Refuses a picture to start from where no task takes it.
static enum fum_result check_used(const fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err) {
    if (!run->given.original.pixels || run->tasks.at[0]) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "the model %s cannot start from a picture",
                         fum_model_get_info(pipe->model)->name);
}

enum fum_result fum_tasks_choose(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    int count = 0;
    for (int i = 0; i < FUM_TASK_COUNT; i++)
        if (tasks[i]->serves(pipe, run->params)) run->tasks.at[count++] = tasks[i];
    if (fum_mask_given(run->params) && !fum_image_given(&run->params->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "a mask, or a larger canvas, needs a picture to change");
    enum fum_result result = fum_given_open(pipe, run, err);
    return result ? result : check_used(pipe, run, err);
}

struct fum_tasks fum_tasks_in_step(const struct fum_run *run) {
    struct fum_tasks in_step = {{0}};
    int count = 0;
    for (const struct fum_task *const *t = run->tasks.at; *t; t++)
        if ((*t)->add_inputs || (*t)->merge || (*t)->watch || (*t)->update)
            in_step.at[count++] = *t;
    return in_step;
}

bool fum_tasks_same(const struct fum_tasks *a, const struct fum_tasks *b) {
    for (int i = 0; i < FUM_TASK_COUNT; i++)
        if (a->at[i] != b->at[i]) return false;
    return true;
}

bool fum_tasks_merge(const struct fum_tasks *some) {
    for (const struct fum_task *const *t = some->at; *t; t++)
        if ((*t)->merge) return true;
    return false;
}

enum fum_result fum_tasks_open(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->open) result = (*t)->open(pipe, run, err);
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->prepare) result = (*t)->prepare(pipe, run, err);
    return result;
}

enum fum_result fum_tasks_encode(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->encode) result = (*t)->encode(pipe, run, err);
    return result;
}

void fum_tasks_add_inputs(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    for (const struct fum_task *const *t = d->tasks.at; *t; t++)
        if ((*t)->add_inputs) (*t)->add_inputs(pipe, graph, d);
}

fum_tensor *fum_tasks_merged(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction) {
    for (const struct fum_task *const *t = d->tasks.at; *t && prediction; t++)
        if ((*t)->merge) prediction = (*t)->merge(graph, d, prediction);
    return prediction;
}

fum_tensor *fum_tasks_updated(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated) {
    for (const struct fum_task *const *t = d->tasks.at; *t && updated; t++)
        if ((*t)->update) updated = (*t)->update(graph, d, updated);
    return updated;
}

enum fum_result fum_tasks_write(fum_pipeline *pipe, const struct fum_run *run,
                                struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->write) result = (*t)->write(pipe, run, err);
    return result;
}

enum fum_result fum_tasks_write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                      const struct fum_start *start, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->write_batch) result = (*t)->write_batch(pipe, run, start, err);
    return result;
}

void fum_tasks_watch(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d,
                     fum_tensor *prediction) {
    for (const struct fum_task *const *t = d->tasks.at; *t && prediction; t++)
        if ((*t)->watch) (*t)->watch(pipe, graph, d, prediction);
}

void fum_tasks_begin(fum_pipeline *pipe, const struct fum_run *run, int eval) {
    for (const struct fum_task *const *t = run->tasks.at; *t; t++)
        if ((*t)->begin) (*t)->begin(pipe, run, eval);
}

enum fum_result fum_tasks_stepped(fum_pipeline *pipe, const struct fum_run *run, int first,
                                  int step, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->stepped) result = (*t)->stepped(pipe, run, first, step, err);
    return result;
}

enum fum_result fum_tasks_finish(const fum_pipeline *pipe, const struct fum_run *run,
                                 struct fum_bitmap *picture, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (const struct fum_task *const *t = run->tasks.at; *t && !result; t++)
        if ((*t)->finish) result = (*t)->finish(pipe, run, picture, err);
    return result;
}
