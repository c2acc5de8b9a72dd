// SPDX-License-Identifier: MIT
// Joins the queue and the files that are offered with the routes of all APIs.
#define _POSIX_C_SOURCE 200809L // pthread_rwlock_t
#include "server.h"

#include "../cpu_driver.h"
#include "../engine.h"
#include "options_store.h"
#include "serve_log.h"

#include <fumarole/file.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 1000, MAX_PICTURES = 100, MAX_PROMPT = 20000, KEY_BYTES = 255 };

// ---- the files that are offered ----

struct server_files {
    pthread_rwlock_t lock;
    struct catalogue *catalogue; // a refresh replaces it
};

static int list_files(struct server *server, struct catalogue **catalogue) {
    const struct serve_options *options = server->options;
    return catalogue_create(catalogue,
                            &(struct catalogue_params){.models = &options->models,
                                                       .models_dir = options->models_dir,
                                                       .lora_dir = options->lora_dir,
                                                       .embeddings_dir = options->embeddings_dir,
                                                       .upscalers_dir = options->upscalers_dir,
                                                       .log = &server->log});
}

const struct catalogue *server_catalogue(struct server *server) {
    pthread_rwlock_rdlock(&server->offered->lock);
    return server->offered->catalogue;
}

void server_catalogue_done(struct server *server) {
    pthread_rwlock_unlock(&server->offered->lock);
}

int server_refresh(struct server *server) {
    struct catalogue *listed = NULL;
    int status = list_files(server, &listed);
    if (status != 0) return status;
    pthread_rwlock_wrlock(&server->offered->lock);
    struct catalogue *old = server->offered->catalogue;
    server->offered->catalogue = listed;
    pthread_rwlock_unlock(&server->offered->lock);
    catalogue_destroy(&old);
    job_checker_forget(server->checker);
    return 0;
}

static int open_files(struct server *server) {
    struct server_files *files = calloc(1, sizeof *files);
    if (!files || pthread_rwlock_init(&files->lock, NULL)) {
        free(files);
        return cli_fail("no memory to list the models");
    }
    server->offered = files;
    return list_files(server, &files->catalogue);
}

static void close_files(struct server *server) {
    if (!server->offered) return;
    catalogue_destroy(&server->offered->catalogue);
    pthread_rwlock_destroy(&server->offered->lock);
    free(server->offered);
    server->offered = NULL;
}

static bool read_fields(void *user, struct job_spec *spec, const cJSON *fields,
                        struct job_error *error) {
    struct server *server = user;
    struct job_context context = server->context;
    context.catalogue = server_catalogue(server);
    bool read = job_spec_read(spec, fields, &context, error);
    server_catalogue_done(server);
    return read;
}

bool server_read_job(struct server *server, struct job_spec *spec, const cJSON *fields,
                     struct job_error *error) {
    return read_fields(server, spec, fields, error) && job_check(server->checker, spec, error);
}

// ---- the queue ----

// Returns the folder of --state or its default, to free with free(); NULL: memory is out, or there
// is no default.
static char *find_state_dir(const struct serve_options *options) {
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (options->state_dir) return cli_copy(options->state_dir);
    if (xdg && xdg[0] == '/') return cli_join(xdg, "fumarole");
    return home && *home ? cli_join(home, ".local/state/fumarole") : NULL;
}

static int open_queue(struct server *server) {
    char *dir = find_state_dir(server->options);
    if (!dir) return cli_fail("there is no folder for jobs: give --state DIR");
    int status =
        jobs_open(&server->jobs, &(struct jobs_params){.state_dir = dir,
                                                       .devices = &server->options->devices,
                                                       .max_queue = server->options->max_queue,
                                                       .idle_unload = server->options->idle_unload,
                                                       .log = &server->log,
                                                       .metrics = server->metrics,
                                                       .read_fields = read_fields,
                                                       .user = server});
    if (status == 0) status = options_open(&server->a1111_options, dir);
    free(dir);
    return status;
}

// Chooses lavapipe's vectors and threads by the largest model, for pictures of its own size. A
// server of large models runs long. A model that does not open is reported by its first job.
static void prepare_cpu_driver(const struct server *server) {
    const struct cli_list *models = &server->options->models;
    struct cli_run_flops flops = {0};
    for (size_t i = 0; i < models->count || i == 0; i++) {
        struct cli_engine engine = {0};
        struct generate_options options = server->defaults;
        struct fum_error err;
        options.model = models->count ? models->at[i] : NULL;
        if (cli_engine_open_model(&engine, &options, "", NULL, &err)) continue;
        flops.step = fmax(flops.step, cli_engine_step_flops(&engine, &options.picture));
        cli_engine_close(&engine);
    }
    if (flops.step >= CLI_LARGE_STEP_FLOPS) flops.run = CLI_LONG_RUN_FLOPS;
    cli_prepare_cpu_driver(flops, &server->log);
}

int server_open_jobs(struct server *server) {
    server->defaults = generate_options_default();
    server->defaults.picture.preview = FUM_PREVIEW_COLOURS;
    server->context = (struct job_context){.defaults = &server->defaults,
                                           .max_steps = MAX_STEPS,
                                           .max_pictures = MAX_PICTURES,
                                           .max_pixels = server->options->max_pixels,
                                           .max_prompt = MAX_PROMPT};
    server->log = serve_log(server);
    server->checker = job_checker_create();
    if (!server->checker) return cli_fail("no memory to check jobs");
    int status = open_files(server);
    if (status) return status;
    prepare_cpu_driver(server);
    return open_queue(server);
}

void server_close_jobs(struct server *server) {
    jobs_close(&server->jobs);
    options_close(&server->a1111_options);
    job_checker_destroy(&server->checker);
    close_files(server);
}

// ---- taking jobs in ----

// How a job that was not taken in is answered.
static const struct submit_error {
    int status;
    const char *type, *param, *code, *message;
    int retry_after;
} SUBMIT_ERRORS[] = {
    [JOBS_CONFLICT] = {422, NULL, "Idempotency-Key", "key_used",
                       "the Idempotency-Key was used with another request", 0},
    [JOBS_FULL] = {429, NULL, NULL, "queue_full", "the queue is full; try again later", 1},
    [JOBS_NO_SPACE] = {507, NULL, NULL, "no_space", "no space on the disk to keep the job", 0},
    [JOBS_STOPPING] = {503, NULL, NULL, NULL, "the server is going down", 1},
    [JOBS_NOT_FOUND] = {500, NULL, NULL, NULL, "the job could not be kept", 0},
    [JOBS_FAILED] = {500, NULL, NULL, NULL, "the job could not be kept", 0},
};

static bool check_key(const char *key) {
    size_t bytes = strlen(key);
    for (size_t i = 0; i < bytes; i++)
        if (key[i] < ' ' || key[i] > '~') return false;
    return bytes >= 1 && bytes <= KEY_BYTES;
}

// Writes the hash of what is requested: the path and the value, however it was spelled. False:
// memory is out.
static bool hash_request(const struct http_request *request, char hash[FUM_SHA256_TEXT]) {
    char *json = request->json ? cJSON_PrintUnformatted(request->json) : NULL;
    const char *body = request->json ? json : request->body;
    size_t path = strlen(request->path) + 1; // its NUL separates it from the body
    size_t bytes = json ? strlen(json) : request->bytes;
    char *all = json || !request->json ? malloc(path + bytes) : NULL;
    if (all) {
        memcpy(all, request->path, path);
        if (body) memcpy(all + path, body, bytes);
        fum_sha256_text(all, path + bytes, hash);
    }
    free(json);
    free(all);
    return all != NULL;
}

static enum jobs_result submit(const struct http_request *request, const struct jobs_new *job,
                               char id[JOB_ID_BYTES]) {
    char hash[FUM_SHA256_TEXT];
    struct jobs_new named = *job;
    named.idempotency_key = http_header(request, "Idempotency-Key");
    if (!named.body_hash) {
        if (!hash_request(request, hash)) return JOBS_FAILED;
        named.body_hash = hash;
    }
    return jobs_submit(request->server->jobs, &named, id);
}

bool server_submit(const struct http_request *request, struct http_response *response,
                   const struct jobs_new *job, char id[JOB_ID_BYTES]) {
    const char *key = http_header(request, "Idempotency-Key");
    if (key && !check_key(key)) {
        const struct http_error error = {.status = 422, .param = "Idempotency-Key"};
        http_answer_error(request, response, &error,
                          "the Idempotency-Key must have 1 to %d printable ASCII characters",
                          KEY_BYTES);
        return false;
    }
    enum jobs_result result = submit(request, job, id);
    if (result == JOBS_OK || result == JOBS_USED) {
        response->status = result == JOBS_OK ? 201 : 200;
        return true;
    }
    const struct submit_error *e = &SUBMIT_ERRORS[result];
    http_answer_error(request, response,
                      &(struct http_error){e->status, e->type, e->param, e->code}, "%s",
                      e->message);
    response->retry_after = e->retry_after;
    return false;
}
