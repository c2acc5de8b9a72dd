// SPDX-License-Identifier: MIT
// Describes jobs, pictures and devices in the JSON of the interface.
#include "jobs_inside.h"

#include <stdlib.h>
#include <string.h>

// ---- parts ----

// Adds a whole number, which may have more digits than a double holds.
static bool add_whole(cJSON *object, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return cJSON_AddRawToObject(object, name, text) != NULL;
}

// Adds a time or another number; `known` false: null.
static bool add_number(cJSON *object, const char *name, double value, bool known) {
    return (known ? cJSON_AddNumberToObject(object, name, value)
                  : cJSON_AddNullToObject(object, name)) != NULL;
}

// Adds JSON that is kept as a text; NULL: null.
static bool add_json(cJSON *object, const char *name, const char *text) {
    return cli_json_put(object, name, text ? cJSON_Parse(text) : cJSON_CreateNull());
}

static cJSON *finish_object(cJSON *object, bool good) {
    if (good) return object;
    cJSON_Delete(object);
    return NULL;
}

cJSON *describe_picture(const struct store_picture *picture) {
    char url[PICTURE_ID_BYTES + 32];
    cJSON *json = cJSON_CreateObject();
    snprintf(url, sizeof url, "/api/pictures/%s.png", picture->id);
    return finish_object(json, json && cJSON_AddStringToObject(json, "id", picture->id) &&
                                   add_number(json, "index", picture->index, true) &&
                                   add_whole(json, "seed", picture->seed) &&
                                   add_number(json, "width", picture->width, true) &&
                                   add_number(json, "height", picture->height, true) &&
                                   cJSON_AddStringToObject(json, "url", url) &&
                                   cJSON_AddStringToObject(json, "sha256", picture->sha256));
}

cJSON *describe_progress(const struct painter_progress *progress) {
    cJSON *json = cJSON_CreateObject();
    double left = progress->seconds_left;
    return finish_object(json, json && add_number(json, "picture", progress->picture, true) &&
                                   add_number(json, "pictures", progress->pictures, true) &&
                                   add_number(json, "step", progress->step, true) &&
                                   add_number(json, "steps", progress->steps, true) &&
                                   add_number(json, "seconds_left", left, left >= 0));
}

// ---- jobs ----

// The state of a job at hand, which the store may not have yet.
struct live_view {
    bool at_hand, has_progress;
    enum job_state state;
    double started, finished;
    struct painter_progress progress;
    char *error;
};

static void view_live(struct jobs *jobs, const struct store_job *job, struct live_view *view) {
    pthread_mutex_lock(&jobs->lock);
    const struct live_job *live = live_find(jobs, job->id);
    if (live)
        *view = (struct live_view){true,
                                   live->has_progress,
                                   live->state,
                                   live->started,
                                   live->finished,
                                   live->progress,
                                   live->error ? cli_copy(live->error) : NULL};
    pthread_mutex_unlock(&jobs->lock);
}

static cJSON *describe_pictures(const struct store_job *job) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; list && i < job->num_pictures; i++) {
        cJSON *picture = describe_picture(&job->pictures[i]);
        if (picture && cJSON_AddItemToArray(list, picture)) continue;
        cJSON_Delete(picture);
        cJSON_Delete(list);
        list = NULL;
    }
    return list;
}

static cJSON *describe_job(const struct store_job *job, const struct live_view *view) {
    cJSON *json = cJSON_CreateObject();
    cJSON *progress = view->has_progress && view->state == JOB_RUNNING
                          ? describe_progress(&view->progress)
                          : cJSON_CreateNull();
    bool good = json && cJSON_AddStringToObject(json, "id", job->id) &&
                cJSON_AddStringToObject(json, "state", job_state_name(view->state)) &&
                add_number(json, "created", job->created, true) &&
                add_number(json, "started", view->started, view->started > 0) &&
                add_number(json, "finished", view->finished, job_is_final(view->state)) &&
                cJSON_AddStringToObject(json, "model", job->model) &&
                add_json(json, "parameters", job->parameters) &&
                add_json(json, "seeds", job->seeds);
    good = cli_json_put(good ? json : NULL, "progress", progress) && good;
    good = good && cli_json_put(json, "pictures", describe_pictures(job)) &&
           add_json(json, "error", view->error);
    return finish_object(json, good);
}

// A list of jobs while it is made.
struct listing {
    struct jobs *jobs;
    int state, limit; // state -1: any
    cJSON *list;
    char last[JOB_ID_BYTES]; // of the list
    bool more, failed;
};

// Describes a row, unless its job is in another state than the listed one. A queued row's job is at
// hand: it leaves only after its end is stored, for which it needs the store's lock.
static cJSON *describe_row(struct listing *listing, const struct store_job *job) {
    struct live_view view = {.state = job->state,
                             .started = job->started,
                             .finished = job->finished,
                             .error = job->error ? cli_copy(job->error) : NULL};
    cJSON *json = NULL;
    if (job->state == JOB_QUEUED) view_live(listing->jobs, job, &view);
    bool listed = listing->state < 0 || (int)view.state == listing->state;
    if (listed && cJSON_GetArraySize(listing->list) == listing->limit)
        listing->more = true;
    else if (listed && !(json = describe_job(job, &view)))
        listing->failed = true;
    free(view.error);
    return json;
}

static bool list_row(void *user, const struct store_job *job) {
    struct listing *listing = user;
    cJSON *json = describe_row(listing, job);
    if (json && !cJSON_AddItemToArray(listing->list, json)) {
        cJSON_Delete(json);
        listing->failed = true;
    } else if (json) {
        snprintf(listing->last, sizeof listing->last, "%s", job->id);
    }
    return !listing->more && !listing->failed;
}

cJSON *jobs_list(struct jobs *jobs, const char *state, int limit, const char *after) {
    enum job_state wanted;
    struct listing listing = {.jobs = jobs, .state = -1, .limit = limit};
    struct store_query query = {.after = after, .state = -1};
    if (state && !job_state_find(state, &wanted)) return NULL;
    if (state) {
        listing.state = (int)wanted;
        query.state = wanted == JOB_RUNNING ? JOB_QUEUED : (int)wanted;
    }
    cJSON *json = cJSON_CreateObject();
    listing.list = cJSON_CreateArray();
    bool good = json && listing.list &&
                store_each(jobs->store, &query, list_row, &listing) == STORE_OK && !listing.failed;
    if (good)
        good = cli_json_put(json, "jobs", listing.list);
    else
        cJSON_Delete(listing.list);
    good = good && (listing.more ? cJSON_AddStringToObject(json, "next", listing.last)
                                 : cJSON_AddNullToObject(json, "next")) != NULL;
    return finish_object(json, good);
}

cJSON *jobs_describe(struct jobs *jobs, const char *id) {
    struct listing listing = {.jobs = jobs, .state = -1, .limit = 1, .list = cJSON_CreateArray()};
    struct store_query query = {.id = id, .state = -1};
    if (listing.list) store_each(jobs->store, &query, list_row, &listing);
    cJSON *json = cJSON_DetachItemFromArray(listing.list, 0);
    cJSON_Delete(listing.list);
    return json;
}

void jobs_count(struct jobs *jobs, long counts[JOB_STATES]) {
    store_count(jobs->store, counts);
    pthread_mutex_lock(&jobs->lock);
    for (const struct live_job *live = jobs->first; live; live = live->later) {
        if (!live->kept || live->state == JOB_QUEUED || counts[JOB_QUEUED] == 0) continue;
        counts[JOB_QUEUED]--;
        counts[live->state]++;
    }
    pthread_mutex_unlock(&jobs->lock);
}

// ---- what runs ----

void jobs_get_now(struct jobs *jobs, struct jobs_now *now) {
    *now = (struct jobs_now){0};
    pthread_mutex_lock(&jobs->lock);
    for (const struct live_job *live = jobs->first; live; live = live->later) {
        now->queued += live->state == JOB_QUEUED;
        if (live->state != JOB_RUNNING) continue;
        if (now->running++) continue;
        snprintf(now->id, sizeof now->id, "%s", live->id);
        now->progress = live->progress;
        now->progress.pictures = live->count;
        now->started = live->started;
        now->interrupted = live->cancel;
        now->skipped = live->skip || live->was_skipped;
    }
    pthread_mutex_unlock(&jobs->lock);
}

char *jobs_copy_preview(struct jobs *jobs, const char *id) {
    pthread_mutex_lock(&jobs->lock);
    const struct live_job *live = live_find(jobs, id);
    char *preview = live && live->preview ? cli_copy(live->preview) : NULL;
    pthread_mutex_unlock(&jobs->lock);
    return preview;
}

// ---- devices ----

static bool add_text(cJSON *object, const char *name, const char *text) {
    return (text ? cJSON_AddStringToObject(object, name, text)
                 : cJSON_AddNullToObject(object, name)) != NULL;
}

static cJSON *describe_device(struct worker *worker) {
    struct painter_state state = worker->state;
    cJSON *json = cJSON_CreateObject();
    if (worker->painter) painter_get_state(worker->painter, &state);
    bool good = json && add_number(json, "index", worker->index, true) &&
                add_text(json, "name", state.name) && add_text(json, "uuid", state.uuid) &&
                add_text(json, "state", worker->job ? "busy" : "idle") &&
                add_text(json, "job", worker->job ? worker->job->id : NULL) &&
                add_text(json, "model", state.model[0] ? worker->model : NULL) &&
                add_whole(json, "memory_used", state.memory_used) &&
                add_whole(json, "memory_total", state.memory_total);
    return finish_object(json, good);
}

cJSON *jobs_describe_devices(struct jobs *jobs) {
    cJSON *list = cJSON_CreateArray();
    pthread_mutex_lock(&jobs->lock);
    for (int i = 0; list && i < jobs->num_workers; i++) {
        cJSON *device = describe_device(&jobs->workers[i]);
        if (!device || !cJSON_AddItemToArray(list, device)) {
            cJSON_Delete(device);
            cJSON_Delete(list);
            list = NULL;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return list;
}

void jobs_unload(struct jobs *jobs) {
    pthread_mutex_lock(&jobs->lock);
    for (int i = 0; i < jobs->num_workers; i++) jobs->workers[i].unload = true;
    pthread_cond_broadcast(&jobs->work);
    for (int i = 0; i < jobs->num_workers; i++)
        while (!jobs->stopping && !jobs->workers[i].job && jobs->workers[i].unload)
            pthread_cond_wait(&jobs->rest, &jobs->lock);
    pthread_mutex_unlock(&jobs->lock);
}

// ---- files ----

bool jobs_find_picture(struct jobs *jobs, const char *picture_id, struct jobs_picture *picture) {
    return store_find_picture(jobs->store, picture_id, picture) == STORE_OK;
}
