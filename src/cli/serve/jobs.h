// SPDX-License-Identifier: MIT
// The queue of jobs: kept in the store, drawn by a thread for each device, watched by clients. All
// functions may be called from any thread.
#ifndef FUM_CLI_SERVE_JOBS_H
#define FUM_CLI_SERVE_JOBS_H

#include "../job/painter.h"

struct jobs;
struct metrics; // metrics.h
enum { JOB_ID_BYTES = 65 };

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED, JOB_STATES };
// Returns the name of a state in the interface, such as "queued".
const char *job_state_name(enum job_state state);
// Stores the state of a name. False: there is no such state.
bool job_state_find(const char *name, enum job_state *state);

struct jobs_params {
    const char *state_dir;
    const struct cli_list *devices; // as --device; empty: the best one
    int max_queue;
    int idle_unload; // seconds; 0: never
    const struct fum_log *log;
    struct metrics *metrics; // NULL: nothing is counted
    // Reads the settled fields of a job that begins, as job_spec_read does, with the files that are
    // offered then. Called on the threads of devices.
    bool (*read_fields)(void *user, struct job_spec *spec, const cJSON *fields,
                        struct job_error *error);
    void *user; // for read_fields
};

// Opens the store and starts the threads. Unfinished jobs of an earlier run go on. Returns 0, or
// prints the error and returns an exit status.
int jobs_open(struct jobs **jobs, const struct jobs_params *params);
// Ends after the running step: running jobs go back to the queue, and those that wait in a function
// below return at once.
void jobs_close(struct jobs **jobs);
// Wakes all waits and refuses new jobs, before jobs_close.
void jobs_stop(struct jobs *jobs);

enum jobs_result {
    JOBS_OK = 0,
    JOBS_USED,     // the idempotency key is that of an earlier job, whose id is stored
    JOBS_CONFLICT, // the key was used with another body
    JOBS_FULL,     // the queue is full
    JOBS_NO_SPACE, // the job cannot be kept
    JOBS_STOPPING, // the server is going down
    JOBS_NOT_FOUND,
    JOBS_FAILED, // memory, or the store failed
};

struct jobs_new {
    const struct job_spec *spec;
    const char *api;             // "jobs", "sdapi", "openai"
    const char *idempotency_key; // NULL: none
    const char *body_hash;       // SHA-256 of the request, for the key
};
// Takes a job in. It is in the store when this returns.
enum jobs_result jobs_submit(struct jobs *jobs, const struct jobs_new *job, char id[JOB_ID_BYTES]);

// Returns the object Job of the interface, or NULL: there is none.
cJSON *jobs_describe(struct jobs *jobs, const char *id);
// Returns {"jobs":[…],"next":…}, newest first. `state` and `after` may be NULL. NULL: `after` is
// unknown.
cJSON *jobs_list(struct jobs *jobs, const char *state, int limit, const char *after);
// Stores the number of kept jobs in each state.
void jobs_count(struct jobs *jobs, long counts[JOB_STATES]);

// Cancels a job and waits until it is final, at most until the running step has ended.
enum jobs_result jobs_cancel(struct jobs *jobs, const char *id);
// Removes the pictures of a job that is final, or one picture, or the job itself with them.
enum jobs_result jobs_delete_pictures(struct jobs *jobs, const char *id);
enum jobs_result jobs_delete_picture(struct jobs *jobs, const char *picture_id);
// Waits until the job is final. JOBS_STOPPING: the server went down before.
enum jobs_result jobs_wait(struct jobs *jobs, const char *id);

// Cancels all running jobs, or leaves out the picture at hand of each.
void jobs_interrupt(struct jobs *jobs);
void jobs_skip(struct jobs *jobs);
// Unloads the models of idle devices, and of the others when their job ends.
void jobs_unload(struct jobs *jobs);

// Finds a picture's file. Stores its path and hash; false: there is none.
struct jobs_picture {
    char path[CLI_PATH_BYTES];
    char sha256[65];
};
bool jobs_find_picture(struct jobs *jobs, const char *picture_id, struct jobs_picture *picture);

// What runs now, for A1111's /progress: the oldest running job. All zero: nothing.
struct jobs_now {
    char id[JOB_ID_BYTES];
    struct painter_progress progress;
    double started; // seconds since 1970
    bool interrupted, skipped;
    int queued, running;
};
void jobs_get_now(struct jobs *jobs, struct jobs_now *now);
// Returns the last preview of the job as base64 of a PNG, to free with free(); NULL: none.
char *jobs_copy_preview(struct jobs *jobs, const char *id);
// Returns the array of /api/devices.
cJSON *jobs_describe_devices(struct jobs *jobs);

// ---- events ----

enum job_event_kind { JOB_EVENT_STATE, JOB_EVENT_PROGRESS, JOB_EVENT_PREVIEW, JOB_EVENT_PICTURE };
struct job_event {
    enum job_event_kind kind;
    char *data; // JSON in one line; free it with free()
    bool last;  // the job is final now
};
// Follows a job: first its state and its pictures so far, then what happens. NULL: there is no such
// job, or memory is out.
struct job_watch;
struct job_watch *jobs_watch(struct jobs *jobs, const char *id);
// Waits up to `seconds` for the next event. 1: *event is it; 0: none yet; -1: the end, or the
// server is going down.
int jobs_watch_next(struct job_watch *watch, double seconds, struct job_event *event);
void jobs_watch_end(struct job_watch *watch);

#endif
