// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L

#include "crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct worker {
    struct crew *crew;
    struct painter *painter;
    pthread_t thread;
    bool runs;  // the thread is to be joined
    int number; // among all workers
    struct work_unit unit;
    struct painter_state state;
};

struct crew {
    struct crew_params params;
    struct worker *workers;
    size_t count;
    atomic_int active;
};

// ---- one unit ----

static bool on_picture(void *user, const struct painter_picture *picture) {
    const struct worker *worker = user;
    const struct work_picture drawn = {.row = {.line = worker->unit.line->number,
                                               .index = picture->index,
                                               .seed = picture->seed,
                                               .seconds = picture->seconds,
                                               .device = worker->state.name,
                                               .rank = worker->crew->params.rank,
                                               .sha256 = picture->sha256,
                                               .png = picture->png,
                                               .bytes = picture->bytes},
                                       .worker = worker->number,
                                       .width = picture->width,
                                       .height = picture->height};
    return work_add(worker->crew->params.work, &drawn) && picture->index + 1 < worker->unit.end;
}

static bool is_cancelled(void *user) {
    const struct worker *worker = user;
    return work_stopped(worker->crew->params.work);
}

// Draws a unit. Returns false if the device cannot go on.
static bool draw_unit(struct worker *worker) {
    const struct crew_params *params = &worker->crew->params;
    const struct painter_events events = {
        .on_picture = on_picture, .cancelled = is_cancelled, .user = worker};
    struct fum_error err = {0};
    struct job_error refusal;
    struct job_spec job;
    enum fum_result result = FUM_ERR_ARG;
    if (work_read_job(&job, worker->unit.line->fields, params->defaults, &refusal))
        result = painter_draw(worker->painter, &job, worker->unit.first, &events, &err);
    else
        snprintf(err.text, sizeof err.text, "%s", refusal.message);
    job_spec_free(&job);
    if (result == FUM_ERR_DEVICE) {
        cli_fail("%s draws no more: %s", worker->state.name, err.text);
        work_give_back(params->work, &worker->unit);
    } else if (result != FUM_OK && result != FUM_ERR_CANCELLED) {
        work_fail_line(params->work, worker->unit.line, err.text);
    }
    return result != FUM_ERR_DEVICE;
}

// ---- threads ----

static void *run_worker(void *user) {
    const struct timespec pause = {.tv_nsec = 5000000};
    struct worker *worker = user;
    struct work *work = worker->crew->params.work;
    int done, all;
    bool able = true;
    // Pictures that others have in hand may still come back.
    while (able && !work_stopped(work) && work_count(work, &done, &all)) {
        if (work_take(work, worker->number, &worker->unit))
            able = draw_unit(worker);
        else
            nanosleep(&pause, NULL);
    }
    work_leave(work, worker->number);
    atomic_fetch_sub(&worker->crew->active, 1);
    return NULL;
}

static int start_worker(struct crew *crew, struct worker *worker, const char *device) {
    struct fum_error err = {0};
    worker->crew = crew;
    enum fum_result result =
        painter_create(&worker->painter, &(struct painter_params){device, crew->params.log}, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    painter_get_state(worker->painter, &worker->state);
    worker->number = work_join(crew->params.work);
    if (worker->number < 0) return cli_fail("out of memory");
    atomic_fetch_add(&crew->active, 1);
    worker->runs = pthread_create(&worker->thread, NULL, run_worker, worker) == 0;
    if (worker->runs) return 0;
    atomic_fetch_sub(&crew->active, 1);
    work_leave(crew->params.work, worker->number);
    return cli_fail("no thread for %s", worker->state.name);
}

int crew_create(struct crew **created, const struct crew_params *params) {
    struct crew *crew = calloc(1, sizeof *crew);
    *created = crew;
    if (!crew) return cli_fail("out of memory");
    crew->params = *params;
    atomic_init(&crew->active, 0);
    crew->workers = calloc(params->devices->count, sizeof *crew->workers);
    if (!crew->workers) return cli_fail("out of memory");
    crew->count = params->devices->count;
    int started = 0, status = CLI_FAILED;
    for (size_t i = 0; i < crew->count; i++) {
        status = start_worker(crew, &crew->workers[i], params->devices->at[i]);
        started += status == 0;
    }
    return started ? 0 : status;
}

void crew_destroy(struct crew **destroyed) {
    struct crew *crew = *destroyed;
    if (!crew) return;
    for (size_t i = 0; i < crew->count; i++) {
        if (crew->workers[i].runs) pthread_join(crew->workers[i].thread, NULL);
        painter_destroy(&crew->workers[i].painter);
    }
    free(crew->workers);
    free(crew);
    *destroyed = NULL;
}

int crew_active(struct crew *crew) {
    return atomic_load(&crew->active);
}
