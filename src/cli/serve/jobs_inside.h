// SPDX-License-Identifier: MIT
// What the files of the queue share: jobs that are not final yet, the threads of devices, and those
// that watch.
//
// Order of locks: the store's, then the queue's. So nothing here calls the store with the queue's
// lock held.
#ifndef FUM_CLI_SERVE_JOBS_INSIDE_H
#define FUM_CLI_SERVE_JOBS_INSIDE_H

#include "jobs.h"
#include "metrics.h"
#include "store.h"

#include <pthread.h>

// A job that is not final, or whose end could not be stored yet.
struct live_job {
    struct jobs *jobs;
    struct live_job *later; // in the order of the queue
    int references;         // of the queue, the device at work, and those that wait or watch
    char id[JOB_ID_BYTES];
    enum job_state state;
    bool kept;    // it is in the store
    bool taken;   // by a device, or by the one that cancels it
    bool listed;  // in the queue's list
    bool unsaved; // it is final, but the store does not say so
    bool cancel, skip;
    bool was_skipped; // a picture was, for A1111
    int next, count;
    double created, started, finished;
    char *error; // JSON; NULL: none
    struct painter_progress progress;
    bool has_progress;
    char *preview; // base64; NULL: none
    struct store_picture *pictures;
    int num_pictures, picture_capacity;
    struct job_watch *watches;
    pthread_cond_t changed; // anything above
};

// A device and its thread.
struct worker {
    struct jobs *jobs;
    int index;
    const char *select; // as --device
    pthread_t thread;
    bool started;
    struct painter *painter;    // NULL: the device was lost, and could not be opened again
    struct painter_state state; // the last one
    char *model;                // name of the last job's model
    struct live_job *job;       // at work; NULL: idle
    bool unload;                // requested
    double idle_since;
    double retry_at; // when a lost device is tried again
};

struct jobs {
    struct jobs_params params;
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t work; // a job came, or the server stops
    pthread_cond_t rest; // a device became idle, or unloaded
    struct live_job *first;
    bool stopping;
    int num_unsaved;
    struct worker *workers;
    int num_workers;
};

// ---- live.c and ends.c; the lock is held unless a comment states otherwise ----

bool job_is_final(enum job_state state);

// Makes a job with one reference, or returns NULL. live_release frees it after the last one.
struct live_job *live_create(struct jobs *jobs, const char *id, int count);
void live_release(struct live_job *live);
// Adds it to the end of the queue's list, which takes the reference over, or removes it.
void live_list(struct live_job *live);
void live_unlist(struct live_job *live);
// Finds a job in the list.
struct live_job *live_find(struct jobs *jobs, const char *id);
// Returns seconds since 1970.
double jobs_time(void);
// Waits on a condition, at most so long.
void jobs_wait_on(struct jobs *jobs, pthread_cond_t *condition, double seconds);
// Returns the text of an error inside a job; NULL: memory is out. Texts may be NULL.
char *job_error_text(const char *message, const char *type, const char *param, const char *code);
// Changes the state, and the error to this one, which is taken over.
void live_set_state(struct live_job *live, enum job_state state, char *error);
// Makes a taken job final, here and in the store. It may leave the list, so hold a reference. The
// lock is not held.
void live_finish(struct live_job *live, enum job_state state, char *error);
// Stores the ends of jobs that the store had no room for. The lock is not held.
void jobs_save_ends(struct jobs *jobs);
bool live_add_picture(struct live_job *live, const struct store_picture *picture);

// ---- worker.c ----

void *worker_run(void *worker);
// Opens the device. The lock is not held.
enum fum_result worker_open(struct worker *worker, struct fum_error *err);

// ---- describe.c ----

cJSON *describe_picture(const struct store_picture *picture);
cJSON *describe_progress(const struct painter_progress *progress);

// ---- events.c; the lock is held ----

void events_state(struct live_job *live);
void events_progress(struct live_job *live);
void events_preview(struct live_job *live, int picture, int step);
void events_picture(struct live_job *live, const struct store_picture *picture);

#endif
