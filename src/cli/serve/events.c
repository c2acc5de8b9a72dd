// SPDX-License-Identifier: MIT
// Hands what happens to a job to those that watch it. A slow reader loses steps and previews, but
// no state and no picture.
#include "jobs_inside.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS_WAITING = 64, MAX_PREVIEWS_WAITING = 4 };

struct waiting_event {
    struct waiting_event *later;
    struct job_event event;
};

struct job_watch {
    struct jobs *jobs;
    struct live_job *live;  // NULL: the job was final from the start
    struct job_watch *next; // of the same job
    struct waiting_event *first;
    bool ended; // the last event was handed out
};

// ---- waiting events ----

// Removes the oldest event of a kind if `max` of them wait.
static void make_room(struct job_watch *watch, enum job_event_kind kind, int max) {
    struct waiting_event **oldest = NULL;
    int waiting = 0;
    for (struct waiting_event **at = &watch->first; *at; at = &(*at)->later) {
        if ((*at)->event.kind != kind) continue;
        if (!waiting++) oldest = at;
    }
    if (waiting < max) return;
    struct waiting_event *removed = *oldest;
    *oldest = removed->later;
    free(removed->event.data);
    free(removed);
}

// Adds an event, whose text is taken over.
static bool add_event(struct job_watch *watch, const struct job_event *event) {
    struct waiting_event *waiting = event->data ? malloc(sizeof *waiting) : NULL;
    if (!waiting) {
        free(event->data);
        return false;
    }
    if (event->kind == JOB_EVENT_PROGRESS) make_room(watch, event->kind, MAX_STEPS_WAITING);
    if (event->kind == JOB_EVENT_PREVIEW) make_room(watch, event->kind, MAX_PREVIEWS_WAITING);
    *waiting = (struct waiting_event){.event = *event};
    struct waiting_event **at = &watch->first;
    while (*at) at = &(*at)->later;
    *at = waiting;
    return true;
}

// Prints a value in one line and frees it.
static char *print_json(cJSON *json) {
    char *text = json ? cli_json_print(json) : NULL;
    cJSON_Delete(json);
    return text;
}

static char *print_state(const char *id, enum job_state state, const char *error) {
    cJSON *json = cJSON_CreateObject();
    bool good = json && cJSON_AddStringToObject(json, "id", id) &&
                cJSON_AddStringToObject(json, "state", job_state_name(state)) &&
                cJSON_AddRawToObject(json, "error", error ? error : "null");
    if (good) return print_json(json);
    cJSON_Delete(json);
    return NULL;
}

// ---- what happens ----

// Gives the same event to all that watch the job.
static void send(struct live_job *live, enum job_event_kind kind, cJSON *json) {
    char *text = print_json(json);
    for (struct job_watch *watch = live->watches; text && watch; watch = watch->next)
        add_event(watch, &(struct job_event){.kind = kind, .data = cli_copy(text)});
    free(text);
    pthread_cond_broadcast(&live->changed);
}

void events_state(struct live_job *live) {
    for (struct job_watch *watch = live->watches; watch; watch = watch->next)
        add_event(watch,
                  &(struct job_event){.kind = JOB_EVENT_STATE,
                                      .data = print_state(live->id, live->state, live->error),
                                      .last = job_is_final(live->state)});
}

void events_progress(struct live_job *live) {
    if (live->watches) send(live, JOB_EVENT_PROGRESS, describe_progress(&live->progress));
}

void events_preview(struct live_job *live, int picture, int step) {
    if (!live->watches) return;
    cJSON *json = cJSON_CreateObject();
    if (json && cJSON_AddNumberToObject(json, "picture", picture) &&
        cJSON_AddNumberToObject(json, "step", step) &&
        cJSON_AddStringToObject(json, "image", live->preview)) {
        send(live, JOB_EVENT_PREVIEW, json);
        return;
    }
    cJSON_Delete(json);
}

void events_picture(struct live_job *live, const struct store_picture *picture) {
    if (live->watches) send(live, JOB_EVENT_PICTURE, describe_picture(picture));
}

// ---- watching ----

static bool add_pictures(struct job_watch *watch, const struct store_picture *pictures, int count) {
    bool good = true;
    for (int i = 0; i < count && good; i++)
        good = add_event(watch,
                         &(struct job_event){.kind = JOB_EVENT_PICTURE,
                                             .data = print_json(describe_picture(&pictures[i]))});
    return good;
}

static bool add_state(struct job_watch *watch, const char *id, enum job_state state,
                      const char *error) {
    return add_event(watch, &(struct job_event){.kind = JOB_EVENT_STATE,
                                                .data = print_state(id, state, error),
                                                .last = job_is_final(state)});
}

// Begins to watch a job at hand: its state unless it is final, then its pictures.
static bool watch_live(struct job_watch *watch, struct live_job *live) {
    bool final = job_is_final(live->state);
    watch->live = live;
    live->references++;
    watch->next = live->watches;
    live->watches = watch;
    return (final || add_state(watch, live->id, live->state, live->error)) &&
           add_pictures(watch, live->pictures, live->num_pictures) &&
           (!final || add_state(watch, live->id, live->state, live->error));
}

// Adds the events of a final job.
static bool watch_final(void *user, const struct store_job *job) {
    struct job_watch *watch = user;
    if (!add_pictures(watch, job->pictures, job->num_pictures) ||
        !add_state(watch, job->id, job->state, job->error))
        watch->ended = true;
    return false;
}

struct job_watch *jobs_watch(struct jobs *jobs, const char *id) {
    struct job_watch *watch = calloc(1, sizeof *watch);
    struct store_query query = {.id = id, .state = -1};
    if (!watch) return NULL;
    watch->jobs = jobs;
    pthread_mutex_lock(&jobs->lock);
    struct live_job *live = live_find(jobs, id);
    bool good = !live || watch_live(watch, live);
    pthread_mutex_unlock(&jobs->lock);
    if (!live) good = store_each(jobs->store, &query, watch_final, watch) == STORE_OK;
    if (good && !watch->ended) return watch;
    jobs_watch_end(watch);
    return NULL;
}

// Takes the first event that waits.
static bool take_event(struct job_watch *watch, struct job_event *event) {
    struct waiting_event *first = watch->first;
    if (!first) return false;
    *event = first->event;
    watch->first = first->later;
    watch->ended = event->last;
    free(first);
    return true;
}

int jobs_watch_next(struct job_watch *watch, double seconds, struct job_event *event) {
    struct jobs *jobs = watch->jobs;
    double end = fum_time_now() + seconds;
    pthread_mutex_lock(&jobs->lock);
    int result = watch->ended || (!watch->first && !watch->live) ? -1 : 0;
    while (!result) {
        double left = end - fum_time_now();
        if (take_event(watch, event))
            result = 1;
        else if (jobs->stopping || job_is_final(watch->live->state))
            result = -1; // without the last event if memory for it was out
        else if (left <= 0)
            break;
        else
            jobs_wait_on(jobs, &watch->live->changed, left);
    }
    pthread_mutex_unlock(&jobs->lock);
    return result;
}

void jobs_watch_end(struct job_watch *watch) {
    if (!watch) return;
    struct live_job *live = watch->live;
    pthread_mutex_lock(&watch->jobs->lock);
    struct job_watch **at = live ? &live->watches : NULL;
    while (at && *at != watch) at = &(*at)->next;
    if (at) *at = watch->next;
    if (live) live_release(live);
    pthread_mutex_unlock(&watch->jobs->lock);
    while (watch->first) {
        struct waiting_event *first = watch->first;
        watch->first = first->later;
        free(first->event.data);
        free(first);
    }
    free(watch);
}
