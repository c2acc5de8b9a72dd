// SPDX-License-Identifier: MIT
// Declares what a request does beside drawing a prompt from noise, as records. A request calls for
// any number of them: each adds to the recorded step, or works before and after the steps.
#ifndef FUM_PIPELINE_TASK_H
#define FUM_PIPELINE_TASK_H

#include <fumarole/pipeline.h>

#include "io/image.h"

struct fum_run;
struct fum_denoiser;
struct fum_start;

// Every hook but `serves` may be NULL.
struct fum_task {
    const char *name;
    // True if the request calls for the task on this model.
    bool (*serves)(const fum_pipeline *pipe, const struct fum_generate_params *params);

    // Checks the request, and prepares pictures. The size of the run is known, and the picture to
    // start from is read; the sampler's program is not made yet. May set run->strength and copies.
    enum fum_result (*open)(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
    // Prepares pictures that depend on what another task opened.
    enum fum_result (*prepare)(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
    // Encodes pictures, before the UNet is made ready.
    enum fum_result (*encode)(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);

    // Adds inputs to the recorded step. d->unet has the inputs of a plain step, which the UNet is
    // built from afterwards: x may be replaced, others added.
    void (*add_inputs)(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d);
    // Makes one prediction of those for d->copies of the pictures, f32. At most one task of a run
    // has it.
    fum_tensor *(*merge)(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction);
    // Reads the guided prediction, which stays as it is.
    void (*watch)(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d,
                  fum_tensor *prediction);
    // Changes the state after the sampler's update, whose result `updated` is. Returns the last
    // update of the state.
    fum_tensor *(*update)(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated);

    // Writes the inputs that are the same for all pictures of the run.
    enum fum_result (*write)(fum_pipeline *pipe, const struct fum_run *run, struct fum_error *err);
    // Writes those of a batch, once its noise is drawn.
    enum fum_result (*write_batch)(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err);

    // Prepares an evaluation, counted from 0.
    void (*begin)(fum_pipeline *pipe, const struct fum_run *run, int eval);
    // Works after a step, counted from 1, of the batch that begins with picture `first`.
    enum fum_result (*stepped)(fum_pipeline *pipe, const struct fum_run *run, int first, int step,
                               struct fum_error *err);

    // Changes a decoded picture, which may get another size.
    enum fum_result (*finish)(const fum_pipeline *pipe, const struct fum_run *run,
                              struct fum_bitmap *picture, struct fum_error *err);
};

// Declares the records of tasks.def.
#define FUM_TASK(name) extern const struct fum_task fum_task_##name;
#include "pipeline/tasks.def"
#undef FUM_TASK

enum {
#define FUM_TASK(name) FUM_TASK_##name,
#include "pipeline/tasks.def"
#undef FUM_TASK
    FUM_TASK_COUNT,
};

// Some tasks, in the order of tasks.def, NULL after the last.
struct fum_tasks {
    const struct fum_task *at[FUM_TASK_COUNT + 1];
};

// Finds the tasks of a run, and reads the picture to start from.
enum fum_result fum_tasks_choose(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
// Returns those that are part of the recorded step.
struct fum_tasks fum_tasks_in_step(const struct fum_run *run);
bool fum_tasks_same(const struct fum_tasks *a, const struct fum_tasks *b);
// True if one of them merges the copies of a picture to one prediction.
bool fum_tasks_merge(const struct fum_tasks *tasks);

// Calls one hook of all tasks that have it, and so do the functions below.
enum fum_result fum_tasks_open(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
enum fum_result fum_tasks_encode(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
void fum_tasks_add_inputs(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d);
fum_tensor *fum_tasks_merged(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction);
fum_tensor *fum_tasks_updated(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated);
enum fum_result fum_tasks_write(fum_pipeline *pipe, const struct fum_run *run,
                                struct fum_error *err);
enum fum_result fum_tasks_write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                      const struct fum_start *start, struct fum_error *err);
void fum_tasks_watch(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d,
                     fum_tensor *prediction);
void fum_tasks_begin(fum_pipeline *pipe, const struct fum_run *run, int eval);
enum fum_result fum_tasks_stepped(fum_pipeline *pipe, const struct fum_run *run, int first,
                                  int step, struct fum_error *err);
enum fum_result fum_tasks_finish(const fum_pipeline *pipe, const struct fum_run *run,
                                 struct fum_bitmap *picture, struct fum_error *err);

#endif
