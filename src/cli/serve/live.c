// SPDX-License-Identifier: MIT
// Keeps the jobs that are not final at hand.
#define _POSIX_C_SOURCE 200809L
#include "condition.h"
#include "jobs_inside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

// ---- states ----

static const char *const STATE_NAMES[JOB_STATES] = {"queued", "running", "done", "failed",
                                                    "cancelled"};

const char *job_state_name(enum job_state state) {
    return STATE_NAMES[state];
}

bool job_state_find(const char *name, enum job_state *state) {
    for (int i = 0; name && i < JOB_STATES; i++) {
        if (strcmp(name, STATE_NAMES[i]) != 0) continue;
        *state = (enum job_state)i;
        return true;
    }
    return false;
}

bool job_is_final(enum job_state state) {
    return state >= JOB_DONE;
}

// ---- time ----

double jobs_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void jobs_wait_on(struct jobs *jobs, pthread_cond_t *condition, double seconds) {
    condition_wait(condition, &jobs->lock, seconds);
}

// ---- jobs at hand ----

struct live_job *live_find(struct jobs *jobs, const char *id) {
    struct live_job *live = jobs->first;
    while (live && strcmp(live->id, id) != 0) live = live->later;
    return live;
}

void live_release(struct live_job *live) {
    if (--live->references) return;
    pthread_cond_destroy(&live->changed);
    free(live->error);
    free(live->preview);
    free(live->pictures);
    free(live);
}

struct live_job *live_create(struct jobs *jobs, const char *id, int count) {
    struct live_job *live = calloc(1, sizeof *live);
    if (!live) return NULL;
    if (!condition_init(&live->changed)) {
        free(live);
        return NULL;
    }
    live->jobs = jobs;
    live->references = 1;
    live->count = count;
    snprintf(live->id, sizeof live->id, "%s", id);
    return live;
}

void live_list(struct live_job *live) {
    struct live_job **at = &live->jobs->first;
    while (*at) at = &(*at)->later;
    *at = live;
    live->listed = true;
}

void live_unlist(struct live_job *live) {
    if (!live->listed) return;
    struct live_job **at = &live->jobs->first;
    while (*at != live) at = &(*at)->later;
    *at = live->later;
    live->listed = false;
    live_release(live);
}

bool live_add_picture(struct live_job *live, const struct store_picture *picture) {
    if (live->num_pictures == live->picture_capacity) {
        int capacity = live->picture_capacity ? 2 * live->picture_capacity : 4;
        void *more = realloc(live->pictures, (size_t)capacity * sizeof *live->pictures);
        if (!more) return false;
        live->pictures = more;
        live->picture_capacity = capacity;
    }
    live->pictures[live->num_pictures++] = *picture;
    return true;
}
