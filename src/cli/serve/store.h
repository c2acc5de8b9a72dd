// SPDX-License-Identifier: MIT
// Keeps jobs and pictures on disk, so that they outlive the server: DIR/jobs.sqlite and
// DIR/pictures. What a function stored lasts once it returns. Any thread may call.
#ifndef FUM_CLI_SERVE_STORE_H
#define FUM_CLI_SERVE_STORE_H

#include "jobs.h"

struct store;

// Opens the store, or makes it. Removes files of pictures that no job has. Returns 0, or prints the
// error and returns an exit status: another server uses the folder, say.
int store_open(struct store **store, const char *dir, const struct fum_log *log);
void store_close(struct store **store);

enum store_result {
    STORE_OK = 0,
    STORE_NONE,     // there is no such row
    STORE_USED,     // the idempotency key is that of an earlier job
    STORE_NO_SPACE, // the disk is full
    STORE_FAILED,   // another reason, which was logged
};

enum { PICTURE_ID_BYTES = JOB_ID_BYTES + 15 };

struct store_picture {
    char id[PICTURE_ID_BYTES];
    int index; // in the job, from 0
    uint64_t seed;
    int width, height;
    char sha256[65]; // of the file
};

// A kept job. Texts are valid during the callback that gets it.
struct store_job {
    const char *id, *api, *model;
    enum job_state state;               // JOB_QUEUED: not final
    const char *fields;                 // JSON; only when it is added
    const char *parameters, *seeds;     // JSON
    const char *error;                  // JSON; NULL: none
    double created, started, finished;  // seconds since 1970; 0: not yet
    int next, count;                    // first picture that is still to be drawn; of all
    const char *idempotency_key, *hash; // NULL: none. Only when it is added
    const struct store_picture *pictures;
    int num_pictures;
};

// Adds a queued job.
enum store_result store_add(struct store *store, const struct store_job *job);
// Finds the job of an idempotency key, and the hash of its request.
enum store_result store_find_key(struct store *store, const char *key, char id[JOB_ID_BYTES],
                                 char hash[65]);
// Stores the fields of a job, to free with free().
enum store_result store_copy_fields(struct store *store, const char *id, char **fields);

// Writes a picture's file and records it, all or nothing. The job goes on at the next index.
enum store_result store_add_picture(struct store *store, const char *job,
                                    const struct store_picture *picture, const void *png,
                                    size_t bytes);
// Records that the job goes on at this index.
enum store_result store_set_next(struct store *store, const char *job, int next);
// Makes a job final. Its fields are dropped.
enum store_result store_finish(struct store *store, const char *id, enum job_state state,
                               const double times[2], const char *error);

// Records that a job is about to be drawn, or is so no more without an end. Jobs whose server ended
// meanwhile keep the count of their starts until a picture is finished.
enum store_result store_begin(struct store *store, const char *id);
enum store_result store_put_back(struct store *store, const char *id);
// Makes the queued jobs fail that crashed the server so often, or were begun so often, without
// another picture.
struct store_limits {
    int crashes, starts;
    double finished; // their time, seconds since 1970
    const char *error;
};
enum store_result store_give_up(struct store *store, const struct store_limits *limits);

// Which jobs are visited.
struct store_query {
    const char *id;    // only this one; NULL: all
    const char *after; // only older ones than this; NULL: all
    int state;         // one of enum job_state; -1: all. JOB_RUNNING is not kept, so none have it
    bool oldest_first; // else the newest
};
// Calls `fn` for each job until it returns false. `fn` must not call the store. STORE_NONE: `after`
// or `id` is unknown.
enum store_result store_each(struct store *store, const struct store_query *query,
                             bool (*fn)(void *user, const struct store_job *job), void *user);
// Stores the number of jobs in each state.
enum store_result store_count(struct store *store, long counts[JOB_STATES]);

enum store_result store_find_picture(struct store *store, const char *picture_id,
                                     struct jobs_picture *picture);
// Removes one picture, and stores the id of its job; or all pictures of a job.
enum store_result store_delete_picture(struct store *store, const char *picture_id,
                                       char job[JOB_ID_BYTES]);
enum store_result store_delete_pictures(struct store *store, const char *job);

// True if the disk has room for a job of that many bytes, and for the records of those at work.
bool store_has_room(struct store *store, size_t bytes);

#endif
