// SPDX-License-Identifier: MIT
// What the parts of `fumarole serve` share.
#ifndef FUM_CLI_SERVE_SERVER_H
#define FUM_CLI_SERVE_SERVER_H

#include "../job/check.h"
#include "http.h"
#include "jobs.h"
#include "metrics.h"
#include "serve_options.h"

#include <stdatomic.h>

struct options;

struct server {
    const struct serve_options *options;
    struct jobs *jobs;
    struct metrics *metrics;
    struct job_context context;       // of jobs that come in, without its catalogue
    struct server_files *offered;     // the files that are offered, see server_catalogue
    struct job_checker *checker;      // of jobs that come in
    struct generate_options defaults; // of fields that are left out
    struct fum_log log;               // of the queue, the devices and the files
    struct options *a1111_options;    // options_store.h
    atomic_int port;                  // that is listened on
};

// ---- server_jobs.c ----

// Lists the files that are offered, opens the queue, and starts drawing. Returns 0, or prints the
// error and returns an exit status. server_close_jobs undoes it, also after a failure.
int server_open_jobs(struct server *server);
void server_close_jobs(struct server *server);

// Returns the files that are offered, which stay until server_catalogue_done. Not for longer than a
// request that does not wait.
const struct catalogue *server_catalogue(struct server *server);
void server_catalogue_done(struct server *server);
// Lists the files again. Returns as server_open_jobs does; after an error the old list stays.
int server_refresh(struct server *server);

// Reads the fields of a job with the files that are offered now, as job_spec_read does, and checks
// that its model can draw it.
bool server_read_job(struct server *server, struct job_spec *spec, const cJSON *fields,
                     struct job_error *error);
// Takes a job in, with the Idempotency-Key of the request. False: the request is answered with the
// error. True: response->status is 201, or 200 for a key that was used.
bool server_submit(const struct http_request *request, struct http_response *response,
                   const struct jobs_new *job, char id[JOB_ID_BYTES]);

#endif
