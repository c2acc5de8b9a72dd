// SPDX-License-Identifier: MIT
// Takes jobs in, cancels them, waits for them, and starts the devices.
#define _DEFAULT_SOURCE // getentropy
#define _POSIX_C_SOURCE 200809L
#include "condition.h"
#include "jobs_inside.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

// Starts of a job without another picture, after which it fails. A person may end the server often.
enum { MAX_CRASHES = 3, MAX_STARTS = 30 };

// ---- taking jobs in ----

static bool make_id(char id[JOB_ID_BYTES]) {
    unsigned char bytes[12];
    if (getentropy(bytes, sizeof bytes) != 0) return false;
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static int count_idle(const struct jobs *jobs) {
    int idle = 0;
    for (int i = 0; i < jobs->num_workers; i++)
        idle += jobs->workers[i].painter && !jobs->workers[i].job;
    return idle;
}

// True if the queue is full. Jobs that an idle device is about to take do not count.
static bool is_full(const struct jobs *jobs) {
    int queued = 0;
    for (const struct live_job *live = jobs->first; live; live = live->later)
        queued += live->state == JOB_QUEUED && !live->taken;
    return queued >= jobs->params.max_queue + count_idle(jobs);
}

// Returns what a call of the store means for the caller of the queue.
static enum jobs_result result_of(enum store_result result) {
    static const enum jobs_result results[] = {[STORE_OK] = JOBS_OK,
                                               [STORE_NONE] = JOBS_NOT_FOUND,
                                               [STORE_USED] = JOBS_USED,
                                               [STORE_NO_SPACE] = JOBS_NO_SPACE,
                                               [STORE_FAILED] = JOBS_FAILED};
    return results[result];
}

static enum jobs_result find_used_key(struct jobs *jobs, const struct jobs_new *job,
                                      char id[JOB_ID_BYTES]) {
    char hash[65];
    if (!job->idempotency_key) return JOBS_NOT_FOUND;
    enum store_result found = store_find_key(jobs->store, job->idempotency_key, id, hash);
    if (found != STORE_OK) return result_of(found);
    return job->body_hash && strcmp(hash, job->body_hash) != 0 ? JOBS_CONFLICT : JOBS_USED;
}

// Puts a job into the list before it is kept, so that every kept queued job is at hand.
static enum jobs_result begin_live(struct jobs *jobs, const char *id, int count,
                                   struct live_job **made) {
    enum jobs_result result = JOBS_OK;
    pthread_mutex_lock(&jobs->lock);
    if (jobs->stopping)
        result = JOBS_STOPPING;
    else if (is_full(jobs))
        result = JOBS_FULL;
    else if (!(*made = live_create(jobs, id, count)))
        result = JOBS_FAILED;
    if (*made) {
        (*made)->created = jobs_time();
        live_list(*made);
    }
    pthread_mutex_unlock(&jobs->lock);
    return result;
}

// Returns the seeds of the pictures as JSON.
static char *list_seeds(const struct fum_generate_params *params, int count) {
    cJSON *seeds = cJSON_CreateArray();
    for (int i = 0; i < count; i++) {
        char text[24];
        uint64_t seed = params->seed + (params->subseed_strength > 0 ? 0 : (uint64_t)i);
        snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
        cJSON *number = cJSON_CreateRaw(text);
        if (!cJSON_AddItemToArray(seeds, number)) cJSON_Delete(number);
    }
    char *text = cJSON_GetArraySize(seeds) == count ? cli_json_print(seeds) : NULL;
    cJSON_Delete(seeds);
    return text;
}

// Stores a job with these texts, unless the disk is about full.
static enum store_result store_texts(struct live_job *live, const struct jobs_new *job,
                                     struct store_job *row) {
    struct store *store = live->jobs->store;
    row->id = live->id;
    row->api = job->api;
    row->model = job->spec->model_name ? job->spec->model_name : "";
    row->state = JOB_QUEUED;
    row->created = live->created;
    row->count = live->count;
    row->idempotency_key = job->idempotency_key;
    row->hash = job->body_hash;
    return store_has_room(store, strlen(row->fields)) ? store_add(store, row) : STORE_NO_SPACE;
}

// Keeps a job that is in the list.
static enum jobs_result keep_job(struct live_job *live, const struct jobs_new *job) {
    struct fum_generate_params params = generate_request_params(&job->spec->request);
    char *fields = cli_json_print(job->spec->fields);
    char *parameters = cli_json_print(job->spec->parameters);
    char *seeds = list_seeds(&params, live->count);
    struct store_job row = {.fields = fields, .parameters = parameters, .seeds = seeds};
    enum store_result result = STORE_FAILED;
    if (fields && parameters && seeds) result = store_texts(live, job, &row);
    free(fields);
    free(parameters);
    free(seeds);
    return result_of(result);
}

enum jobs_result jobs_submit(struct jobs *jobs, const struct jobs_new *job, char id[JOB_ID_BYTES]) {
    struct live_job *live = NULL;
    int count = generate_request_params(&job->spec->request).count;
    enum jobs_result result = find_used_key(jobs, job, id);
    if (result != JOBS_NOT_FOUND) return result;
    if (!make_id(id)) return JOBS_FAILED;
    result = begin_live(jobs, id, count > 0 ? count : 1, &live);
    if (result) return result;
    result = keep_job(live, job);
    pthread_mutex_lock(&jobs->lock);
    if (result)
        live_unlist(live);
    else
        live->kept = true;
    pthread_cond_broadcast(&jobs->work);
    pthread_mutex_unlock(&jobs->lock);
    return result == JOBS_USED ? find_used_key(jobs, job, id) : result;
}

// ---- cancelling and waiting ----

// Waits until a job that was at hand is final.
static enum jobs_result wait_for_end(struct live_job *live) {
    struct jobs *jobs = live->jobs;
    live->references++;
    while (!job_is_final(live->state) && !jobs->stopping)
        pthread_cond_wait(&live->changed, &jobs->lock);
    enum jobs_result result = job_is_final(live->state) ? JOBS_OK : JOBS_STOPPING;
    live_release(live);
    return result;
}

static bool is_there(void *user, const struct store_job *job) {
    (void)user, (void)job;
    return false;
}

// Returns the result for a job that is not at hand: it is final, or there is none.
static enum jobs_result find_final(struct jobs *jobs, const char *id) {
    struct store_query query = {.id = id, .state = -1};
    return result_of(store_each(jobs->store, &query, is_there, NULL));
}

enum jobs_result jobs_wait(struct jobs *jobs, const char *id) {
    pthread_mutex_lock(&jobs->lock);
    struct live_job *live = live_find(jobs, id);
    enum jobs_result result = live ? wait_for_end(live) : JOBS_NOT_FOUND;
    pthread_mutex_unlock(&jobs->lock);
    return live ? result : find_final(jobs, id);
}

enum jobs_result jobs_cancel(struct jobs *jobs, const char *id) {
    enum jobs_result result = JOBS_OK;
    pthread_mutex_lock(&jobs->lock);
    struct live_job *live = live_find(jobs, id);
    bool mine = live && live->kept && !live->taken;
    if (live) live->references++;
    if (live) live->cancel = true;
    if (mine) live->taken = true;
    if (live && !mine) {
        pthread_cond_broadcast(&live->changed); // it may wait for space
        result = wait_for_end(live);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (!live) return find_final(jobs, id);
    if (mine) live_finish(live, JOB_CANCELLED, NULL);
    pthread_mutex_lock(&jobs->lock);
    live_release(live);
    pthread_mutex_unlock(&jobs->lock);
    return result;
}

void jobs_interrupt(struct jobs *jobs) {
    pthread_mutex_lock(&jobs->lock);
    for (int i = 0; i < jobs->num_workers; i++) {
        struct live_job *live = jobs->workers[i].job;
        if (!live) continue;
        live->cancel = true;
        pthread_cond_broadcast(&live->changed);
    }
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_skip(struct jobs *jobs) {
    pthread_mutex_lock(&jobs->lock);
    for (int i = 0; i < jobs->num_workers; i++)
        if (jobs->workers[i].job) jobs->workers[i].job->skip = true;
    pthread_mutex_unlock(&jobs->lock);
}

// ---- deleting ----

enum jobs_result jobs_delete_pictures(struct jobs *jobs, const char *id) {
    enum jobs_result result = find_final(jobs, id);
    if (result) return result;
    return result_of(store_delete_pictures(jobs->store, id));
}

// Forgets a picture of a job that goes on.
static void forget_picture(struct jobs *jobs, const char *job, const char *picture_id) {
    pthread_mutex_lock(&jobs->lock);
    struct live_job *live = live_find(jobs, job);
    for (int i = 0; live && i < live->num_pictures; i++) {
        if (strcmp(live->pictures[i].id, picture_id) != 0) continue;
        int after = --live->num_pictures - i;
        memmove(live->pictures + i, live->pictures + i + 1, (size_t)after * sizeof *live->pictures);
        break;
    }
    pthread_mutex_unlock(&jobs->lock);
}

enum jobs_result jobs_delete_picture(struct jobs *jobs, const char *picture_id) {
    char job[JOB_ID_BYTES];
    enum store_result result = store_delete_picture(jobs->store, picture_id, job);
    if (result == STORE_OK) forget_picture(jobs, job, picture_id);
    return result_of(result);
}

// ---- opening and closing ----

// Puts an unfinished job of an earlier run into the list.
static bool revive(void *user, const struct store_job *job) {
    struct jobs *jobs = user;
    struct live_job *live = live_create(jobs, job->id, job->count);
    if (!live) return false;
    live->kept = true;
    live->created = job->created;
    live->next = job->next;
    live_list(live);
    for (int i = 0; i < job->num_pictures; i++)
        if (!live_add_picture(live, &job->pictures[i])) return false;
    return true;
}

// Makes jobs fail that the server does not survive.
static enum store_result give_up(struct jobs *jobs) {
    char *crashed = job_error_text("the server crashed 3 times while it drew this job, which is "
                                   "not tried again",
                                   "server_error", NULL, "crashed"),
         *ended = job_error_text("the server was ended 30 times while it drew this job, without a "
                                 "finished picture; it is not tried again",
                                 "server_error", NULL, "crashed");
    const struct store_limits by_crashes = {MAX_CRASHES, INT_MAX, jobs_time(), crashed},
                              by_starts = {INT_MAX, MAX_STARTS, jobs_time(), ended};
    enum store_result result = store_give_up(jobs->store, &by_crashes);
    if (!result) result = store_give_up(jobs->store, &by_starts);
    free(crashed);
    free(ended);
    return result == STORE_NO_SPACE ? STORE_OK : result;
}

static int revive_all(struct jobs *jobs) {
    long counts[JOB_STATES], revived = 0;
    struct store_query query = {.state = JOB_QUEUED, .oldest_first = true};
    enum store_result result = give_up(jobs);
    if (!result) result = store_each(jobs->store, &query, revive, jobs);
    if (result == STORE_OK) result = store_count(jobs->store, counts);
    for (struct live_job *live = jobs->first; live; live = live->later) revived++;
    if (result == STORE_OK && revived == counts[JOB_QUEUED]) return 0;
    return cli_fail("cannot read the jobs in %s", jobs->params.state_dir);
}

static bool init_locks(struct jobs *jobs) {
    if (pthread_mutex_init(&jobs->lock, NULL)) return false;
    if (condition_init(&jobs->work)) {
        if (condition_init(&jobs->rest)) return true;
        pthread_cond_destroy(&jobs->work);
    }
    pthread_mutex_destroy(&jobs->lock);
    return false;
}

// Opens every device before the first thread starts, so that a wrong --device ends the program.
static int open_workers(struct jobs *jobs) {
    const struct cli_list *devices = jobs->params.devices;
    int count = devices && devices->count ? (int)devices->count : 1;
    jobs->workers = calloc((size_t)count, sizeof *jobs->workers);
    if (!jobs->workers) return cli_fail("no memory for the devices");
    for (int i = 0; i < count; i++) {
        struct worker *worker = &jobs->workers[jobs->num_workers++];
        struct fum_error err = {0};
        *worker = (struct worker){.jobs = jobs, .index = i, .idle_since = fum_time_now()};
        if (devices && devices->count) worker->select = devices->at[i];
        enum fum_result result = worker_open(worker, &err);
        if (result) return cli_fail_result(result, &err);
    }
    return 0;
}

static int start_workers(struct jobs *jobs) {
    for (int i = 0; i < jobs->num_workers; i++) {
        struct worker *worker = &jobs->workers[i];
        if (pthread_create(&worker->thread, NULL, worker_run, worker))
            return cli_fail("cannot start a thread for device %s", worker->state.name);
        worker->started = true;
    }
    return 0;
}

int jobs_open(struct jobs **opened, const struct jobs_params *params) {
    struct jobs *jobs = *opened = calloc(1, sizeof *jobs);
    if (!jobs || !init_locks(jobs)) {
        free(jobs);
        *opened = NULL;
        return cli_fail("no memory for the queue");
    }
    jobs->params = *params;
    int status = store_open(&jobs->store, params->state_dir, params->log);
    if (status == 0) status = revive_all(jobs);
    if (status == 0) status = open_workers(jobs);
    if (status == 0) status = start_workers(jobs);
    if (status != 0) jobs_close(opened);
    return status;
}

void jobs_stop(struct jobs *jobs) {
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    for (struct live_job *live = jobs->first; live; live = live->later)
        pthread_cond_broadcast(&live->changed);
    pthread_cond_broadcast(&jobs->work);
    pthread_cond_broadcast(&jobs->rest);
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_close(struct jobs **closed) {
    struct jobs *jobs = *closed;
    if (!jobs) return;
    jobs_stop(jobs);
    for (int i = 0; i < jobs->num_workers; i++) {
        struct worker *worker = &jobs->workers[i];
        if (worker->started) pthread_join(worker->thread, NULL);
        painter_destroy(&worker->painter);
        free(worker->model);
    }
    if (jobs->store) jobs_save_ends(jobs);
    while (jobs->first) live_unlist(jobs->first);
    store_close(&jobs->store);
    pthread_cond_destroy(&jobs->rest);
    pthread_cond_destroy(&jobs->work);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs->workers);
    free(jobs);
    *closed = NULL;
}
