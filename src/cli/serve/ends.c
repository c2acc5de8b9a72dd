// SPDX-License-Identifier: MIT
// Changes the states of jobs, and makes them final.
#include "jobs_inside.h"

#include <stdlib.h>

void live_set_state(struct live_job *live, enum job_state state, char *error) {
    free(live->error);
    live->error = error;
    if (state != JOB_RUNNING) live->has_progress = false;
    if (state == live->state) return;
    live->state = state;
    events_state(live);
    pthread_cond_broadcast(&live->changed);
}

char *job_error_text(const char *message, const char *type, const char *param, const char *code) {
    cJSON *error = cJSON_CreateObject();
    const char *texts[] = {message, type, param, code};
    static const char *const names[] = {"message", "type", "param", "code"};
    bool good = error != NULL;
    for (size_t i = 0; good && i < 4; i++)
        good = texts[i] && texts[i][0] ? cJSON_AddStringToObject(error, names[i], texts[i]) != NULL
                                       : cJSON_AddNullToObject(error, names[i]) != NULL;
    char *text = good ? cJSON_PrintUnformatted(error) : NULL;
    cJSON_Delete(error);
    return text;
}

// ---- ends of jobs ----

static bool save_end(struct live_job *live, enum job_state state, const char *error) {
    const double times[2] = {live->started, live->finished};
    return store_finish(live->jobs->store, live->id, state, times, error) == STORE_OK;
}

void live_finish(struct live_job *live, enum job_state state, char *error) {
    struct jobs *jobs = live->jobs;
    pthread_mutex_lock(&jobs->lock);
    live->finished = jobs_time();
    pthread_mutex_unlock(&jobs->lock);
    bool saved = save_end(live, state, error);
    pthread_mutex_lock(&jobs->lock);
    live_set_state(live, state, error);
    live->unsaved = !saved;
    jobs->num_unsaved += !saved;
    if (saved) live_unlist(live);
    pthread_mutex_unlock(&jobs->lock);
}

// Takes the next job whose end is not stored. The list keeps it until that is.
static struct live_job *take_unsaved(struct jobs *jobs) {
    struct live_job *live = jobs->num_unsaved ? jobs->first : NULL;
    while (live && !live->unsaved) live = live->later;
    if (!live) return NULL;
    live->unsaved = false;
    jobs->num_unsaved--;
    return live;
}

void jobs_save_ends(struct jobs *jobs) {
    bool saved = true;
    while (saved) {
        pthread_mutex_lock(&jobs->lock);
        struct live_job *live = take_unsaved(jobs);
        pthread_mutex_unlock(&jobs->lock);
        if (!live) return;
        saved = save_end(live, live->state, live->error);
        pthread_mutex_lock(&jobs->lock);
        live->unsaved = !saved;
        jobs->num_unsaved += !saved;
        if (saved) live_unlist(live);
        pthread_mutex_unlock(&jobs->lock);
    }
}
