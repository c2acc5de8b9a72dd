// SPDX-License-Identifier: MIT
// Draws the jobs of the queue on one device, one after the other.
#include "jobs_inside.h"

#include "../base64.h"
#include "crash.h"

#include <stdlib.h>
#include <string.h>

// Seconds between two tries: to open a lost device, and to store what the disk has no room for.
static const double REOPEN_SECONDS = 10, STORE_SECONDS = 1;

static void log_error(const struct worker *worker, const char *what, const char *why) {
    char text[1000], line[1200];
    const struct fum_log *log = worker->jobs->params.log;
    if (!log || !log->fn) return;
    snprintf(text, sizeof text, "device %s: %s: %s", worker->state.name, what, why);
    fum_text_escape(line, sizeof line, text, strlen(text));
    log->fn(log->user, FUM_LOG_ERROR, line);
}

// ---- the device ----

enum fum_result worker_open(struct worker *worker, struct fum_error *err) {
    struct painter *painter = NULL;
    const struct painter_params params = {worker->select, worker->jobs->params.log};
    enum fum_result result = painter_create(&painter, &params, err);
    pthread_mutex_lock(&worker->jobs->lock);
    worker->painter = painter;
    if (painter) painter_get_state(painter, &worker->state);
    pthread_mutex_unlock(&worker->jobs->lock);
    return result;
}

// Opens a device again after its driver failed. Jobs wait in the queue until that succeeds.
static void reopen(struct worker *worker) {
    struct fum_error err = {0};
    pthread_mutex_lock(&worker->jobs->lock);
    struct painter *painter = worker->painter;
    worker->painter = NULL;
    worker->state.model[0] = 0;
    pthread_mutex_unlock(&worker->jobs->lock);
    painter_destroy(&painter);
    if (worker_open(worker, &err)) log_error(worker, "cannot be opened again", err.text);
    worker->retry_at = fum_time_now() + REOPEN_SECONDS;
}

static void unload(struct worker *worker) {
    if (worker->painter) painter_unload(worker->painter);
    pthread_mutex_lock(&worker->jobs->lock);
    worker->unload = false;
    worker->state.model[0] = 0;
    pthread_cond_broadcast(&worker->jobs->rest);
    pthread_mutex_unlock(&worker->jobs->lock);
}

// ---- waiting for a job ----

static struct live_job *take_job(struct worker *worker) {
    struct live_job *live = worker->painter ? worker->jobs->first : NULL;
    while (live && (!live->kept || live->taken || live->state != JOB_QUEUED)) live = live->later;
    if (!live) return NULL;
    live->taken = true;
    live->references++;
    worker->job = live;
    return live;
}

// Returns the seconds until the model is unloaded; 0: now. It is loaded for 3600 seconds and more
// where nothing unloads it.
static double seconds_to_unload(const struct worker *worker) {
    int idle_unload = worker->jobs->params.idle_unload;
    double left = worker->idle_since + idle_unload - fum_time_now();
    if (worker->unload) return 0;
    if (!idle_unload || !worker->state.model[0]) return 3600;
    return left > 0 ? left : 0;
}

// Returns the seconds until a lost device is tried again; 0: now.
static double seconds_to_reopen(const struct worker *worker) {
    double left = worker->retry_at - fum_time_now();
    if (worker->painter) return 3600;
    return left > 0 ? left : 0;
}

// Does what an idle device is to do by now, or waits for it and for jobs. The lock is held.
static void do_chores(struct worker *worker) {
    struct jobs *jobs = worker->jobs;
    double to_unload = seconds_to_unload(worker), to_reopen = seconds_to_reopen(worker);
    double left = to_unload < to_reopen ? to_unload : to_reopen;
    if (jobs->num_unsaved && left > STORE_SECONDS) left = STORE_SECONDS;
    if (left > 0) jobs_wait_on(jobs, &jobs->work, left);
    pthread_mutex_unlock(&jobs->lock);
    if (to_unload == 0) unload(worker);
    if (to_reopen == 0) reopen(worker);
    jobs_save_ends(jobs);
    pthread_mutex_lock(&jobs->lock);
}

// Waits for a job. NULL: the server stops.
static struct live_job *wait_for_job(struct worker *worker) {
    struct jobs *jobs = worker->jobs;
    struct live_job *live = NULL;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping && (worker->unload || !(live = take_job(worker)))) do_chores(worker);
    pthread_mutex_unlock(&jobs->lock);
    return live;
}

// ---- what drawing reports ----

static void on_progress(void *user, const struct painter_progress *progress) {
    struct worker *worker = user;
    struct live_job *live = worker->job;
    pthread_mutex_lock(&worker->jobs->lock);
    live->progress = *progress;
    live->has_progress = true;
    events_progress(live);
    pthread_mutex_unlock(&worker->jobs->lock);
    if (worker->jobs->params.metrics)
        metrics_add_step(worker->jobs->params.metrics, progress->step_seconds);
}

static void on_preview(void *user, int picture, int step, const void *png, size_t bytes) {
    struct worker *worker = user;
    struct live_job *live = worker->job;
    char *text = cli_base64_encode(png, bytes);
    if (!text) return;
    pthread_mutex_lock(&worker->jobs->lock);
    free(live->preview);
    live->preview = text;
    events_preview(live, picture, step);
    pthread_mutex_unlock(&worker->jobs->lock);
}

static bool is_cancelled(void *user) {
    struct worker *worker = user;
    pthread_mutex_lock(&worker->jobs->lock);
    bool stop = worker->job->cancel || worker->job->skip || worker->jobs->stopping;
    pthread_mutex_unlock(&worker->jobs->lock);
    return stop;
}

// Puts the job back into the queue for a moment, since its picture cannot be stored. False: it is
// cancelled, or the server stops.
static bool wait_for_space(struct worker *worker, enum store_result why) {
    static const char *const words[] = {"no space to write the picture; it is tried again",
                                        "the picture cannot be stored; it is tried again"};
    struct live_job *live = worker->job;
    bool full = why == STORE_NO_SPACE;
    char *error = job_error_text(words[!full], "server_error", NULL, full ? "no_space" : NULL);
    if (live->state == JOB_RUNNING) log_error(worker, live->id, words[!full]);
    pthread_mutex_lock(&worker->jobs->lock);
    live_set_state(live, JOB_QUEUED, error);
    bool go_on = !live->cancel && !worker->jobs->stopping;
    if (go_on) jobs_wait_on(worker->jobs, &live->changed, STORE_SECONDS);
    go_on = !live->cancel && !worker->jobs->stopping;
    pthread_mutex_unlock(&worker->jobs->lock);
    return go_on;
}

// Records in memory that a picture is stored.
static void note_picture(struct worker *worker, const struct store_picture *picture) {
    struct live_job *live = worker->job;
    pthread_mutex_lock(&worker->jobs->lock);
    live->next = picture->index + 1;
    live_add_picture(live, picture);
    live_set_state(live, JOB_RUNNING, NULL);
    events_picture(live, picture);
    pthread_mutex_unlock(&worker->jobs->lock);
    if (worker->jobs->params.metrics) metrics_add_picture(worker->jobs->params.metrics);
}

// Leaves out the next picture of the job.
static void skip_picture(struct worker *worker) {
    struct live_job *live = worker->job;
    pthread_mutex_lock(&worker->jobs->lock);
    int next = ++live->next;
    live->skip = false;
    live->was_skipped = true;
    pthread_mutex_unlock(&worker->jobs->lock);
    store_set_next(worker->jobs->store, live->id, next);
}

static bool on_picture(void *user, const struct painter_picture *painted) {
    struct worker *worker = user;
    struct live_job *live = worker->job;
    struct store_picture picture = {.index = painted->index,
                                    .seed = painted->seed,
                                    .width = painted->width,
                                    .height = painted->height};
    pthread_mutex_lock(&worker->jobs->lock);
    bool skip = live->skip, stop = live->cancel;
    pthread_mutex_unlock(&worker->jobs->lock);
    if (stop) return false;
    if (skip) {
        skip_picture(worker);
        return true;
    }
    snprintf(picture.id, sizeof picture.id, "%s-%d", live->id, painted->index);
    snprintf(picture.sha256, sizeof picture.sha256, "%s", painted->sha256);
    for (;;) {
        enum store_result result = store_add_picture(worker->jobs->store, live->id, &picture,
                                                     painted->png, painted->bytes);
        if (result == STORE_OK) break;
        jobs_save_ends(worker->jobs);
        if (!wait_for_space(worker, result)) return false;
    }
    note_picture(worker, &picture);
    return true;
}

// ---- drawing ----

// Reads the job as it was taken in. Returns the error as JSON; NULL: it was read.
static char *read_job(struct worker *worker, struct job_spec *spec) {
    const struct jobs *jobs = worker->jobs;
    struct job_error why = {0};
    char *text = NULL;
    cJSON *fields = NULL;
    if (store_copy_fields(jobs->store, worker->job->id, &text) == STORE_OK)
        fields = cJSON_Parse(text);
    free(text);
    if (!fields) return job_error_text("the job's fields cannot be read", "server_error", "", "");
    bool read = jobs->params.read_fields(jobs->params.user, spec, fields, &why);
    cJSON_Delete(fields);
    if (read) return NULL;
    return job_error_text(why.message, "invalid_request_error", why.param, why.code);
}

static void name_model(struct worker *worker, const struct job_spec *spec) {
    char *name = spec->model_name ? cli_copy(spec->model_name) : NULL;
    pthread_mutex_lock(&worker->jobs->lock);
    free(worker->model);
    worker->model = name;
    pthread_mutex_unlock(&worker->jobs->lock);
}

// True if the drawing stopped for good, and not for a picture to be left out.
static bool is_over(struct worker *worker) {
    pthread_mutex_lock(&worker->jobs->lock);
    bool over = worker->job->cancel || worker->jobs->stopping;
    pthread_mutex_unlock(&worker->jobs->lock);
    return over;
}

// Goes on after drawing stopped: leaves out the picture at hand, unless that was done already.
static void obey_skip(struct worker *worker) {
    pthread_mutex_lock(&worker->jobs->lock);
    bool skip = worker->job->skip;
    pthread_mutex_unlock(&worker->jobs->lock);
    if (skip) skip_picture(worker);
}

static enum fum_result draw_pictures(struct worker *worker, const struct job_spec *spec,
                                     struct fum_error *err) {
    const struct painter_events events = {.on_progress = on_progress,
                                          .on_preview = on_preview,
                                          .on_picture = on_picture,
                                          .cancelled = is_cancelled,
                                          .user = worker};
    const struct live_job *live = worker->job;
    enum fum_result result = FUM_OK;
    while (result == FUM_OK && live->next < live->count) {
        int first = live->next;
        result = painter_draw(worker->painter, spec, first, &events, err);
        if (result == FUM_ERR_CANCELLED && !is_over(worker)) {
            obey_skip(worker);
            result = FUM_OK;
        } else if (result == FUM_OK && live->next == first) {
            *err = (struct fum_error){FUM_ERR_DEVICE, "drawing ended without a picture"};
            result = FUM_ERR_DEVICE;
        }
    }
    return result;
}

// Puts a job back that the server has no time for.
static void put_back(struct live_job *live) {
    store_put_back(live->jobs->store, live->id);
    pthread_mutex_lock(&live->jobs->lock);
    live->taken = false;
    live_set_state(live, JOB_QUEUED, NULL);
    pthread_mutex_unlock(&live->jobs->lock);
}

// Returns the type of a failure's error. What the model cannot draw is the request's fault.
static const char *find_type(enum fum_result result) {
    bool requested = result == FUM_ERR_ARG || result == FUM_ERR_UNSUPPORTED;
    return requested ? "invalid_request_error" : "server_error";
}

// Ends the job as the drawing did.
static void end_job(struct worker *worker, enum fum_result result, const struct fum_error *err) {
    struct live_job *live = worker->job;
    pthread_mutex_lock(&live->jobs->lock);
    bool cancelled = live->cancel;
    pthread_mutex_unlock(&live->jobs->lock);
    if (result == FUM_OK)
        live_finish(live, JOB_DONE, NULL);
    else if (result != FUM_ERR_CANCELLED)
        live_finish(live, JOB_FAILED, job_error_text(err->text, find_type(result), NULL, NULL));
    else if (cancelled)
        live_finish(live, JOB_CANCELLED, NULL);
    else
        put_back(live);
}

static void begin_job(struct worker *worker) {
    struct live_job *live = worker->job;
    struct jobs *jobs = worker->jobs;
    double now = jobs_time();
    pthread_mutex_lock(&jobs->lock);
    live->started = now;
    live_set_state(live, JOB_RUNNING, NULL);
    pthread_mutex_unlock(&jobs->lock);
    store_begin(jobs->store, live->id);
    if (jobs->params.metrics && now > live->created)
        metrics_add_wait(jobs->params.metrics, now - live->created);
}

static void draw_job(struct worker *worker) {
    struct job_spec spec = {0};
    struct fum_error err = {0};
    enum fum_result result = FUM_OK;
    begin_job(worker);
    char *refused = read_job(worker, &spec);
    if (refused) {
        live_finish(worker->job, JOB_FAILED, refused);
    } else {
        name_model(worker, &spec);
        result = draw_pictures(worker, &spec, &err);
        end_job(worker, result, &err);
    }
    job_spec_free(&spec);
    if (result == FUM_ERR_DEVICE) reopen(worker);
}

// Makes the device idle after its job.
static void rest(struct worker *worker) {
    struct jobs *jobs = worker->jobs;
    pthread_mutex_lock(&jobs->lock);
    struct live_job *live = worker->job;
    worker->job = NULL;
    worker->idle_since = fum_time_now();
    if (worker->painter) painter_get_state(worker->painter, &worker->state);
    live_release(live);
    pthread_cond_broadcast(&jobs->rest);
    pthread_mutex_unlock(&jobs->lock);
}

void *worker_run(void *user) {
    struct worker *worker = user;
    crash_watch_thread();
    while (wait_for_job(worker)) {
        draw_job(worker);
        rest(worker);
    }
    crash_watch_thread_end();
    return NULL;
}
