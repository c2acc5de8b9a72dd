// SPDX-License-Identifier: MIT
// Answers /api/jobs: taking jobs in, listing, describing, cancelling and following them.
#include "routes.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIMIT = 50, MAX_LIMIT = 500, COMMENT_SECONDS = 15 };

static void answer_not_found(const struct http_request *request, struct http_response *response) {
    const struct http_error error = {.status = 404};
    http_answer_error(request, response, &error, "there is no job with that id");
}

static void answer_stopping(const struct http_request *request, struct http_response *response) {
    const struct http_error error = {.status = 503};
    http_answer_error(request, response, &error, "the server is going down");
}

// Answers with the object Job.
static void answer_job(const struct http_request *request, struct http_response *response,
                       const char *id) {
    cJSON *job = jobs_describe(request->server->jobs, id);
    int status = response->status ? response->status : 200;
    if (job)
        http_answer_json(response, status, job);
    else
        answer_not_found(request, response);
}

void route_job_create(const struct http_request *request, struct http_response *response) {
    struct job_spec spec = {0};
    struct job_error error = {0};
    char id[JOB_ID_BYTES];
    if (!server_read_job(request->server, &spec, request->json, &error)) {
        http_answer_refusal(request, response, &error);
    } else if (server_submit(request, response, &(struct jobs_new){.spec = &spec, .api = "jobs"},
                             id)) {
        snprintf(response->location, sizeof response->location, "/api/jobs/%s", id);
        answer_job(request, response, id);
    }
    job_spec_free(&spec);
}

void route_job_get(const struct http_request *request, struct http_response *response) {
    answer_job(request, response, request->id);
}

// ---- arguments in the address ----

// What the arguments of a request say, and which of them are known.
struct job_query {
    const char *const *names; // known ones, up to a NULL
    const char *state, *after, *pictures;
    const char *unknown, *repeated; // names of arguments that are refused
    const char *limit_text;
    int limit;
};

static bool read_argument(void *user, const char *name, const char *value) {
    struct job_query *query = user;
    const char **fields[] = {&query->state, &query->limit_text, &query->after, &query->pictures};
    static const char *const names[] = {"state", "limit", "after", "pictures"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool known = false;
        for (const char *const *at = query->names; *at; at++)
            known = known || strcmp(*at, names[i]) == 0;
        if (!known || strcmp(name, names[i]) != 0) continue;
        if (*fields[i]) query->repeated = names[i];
        *fields[i] = value ? value : "";
        return !query->repeated;
    }
    query->unknown = name;
    return false;
}

// Reads the arguments. False: the request is answered with the error.
static bool read_query(const struct http_request *request, struct http_response *response,
                       struct job_query *query) {
    http_each_query(request, read_argument, query);
    if (!query->unknown && !query->repeated) return true;
    const struct cli_shown name = cli_show(query->unknown ? query->unknown : query->repeated);
    const struct http_error error = {.status = 422, .param = name.text};
    http_answer_error(request, response, &error,
                      query->unknown ? "there is no parameter \"%s\"" : "%s is given twice",
                      name.text);
    return false;
}

static bool answer_wrong(const struct http_request *request, struct http_response *response,
                         const char *param, const char *message) {
    const struct http_error error = {.status = 422, .param = param};
    http_answer_error(request, response, &error, "%s", message);
    return false;
}

static bool read_limit(struct job_query *query) {
    char *end;
    const char *text = query->limit_text;
    query->limit = DEFAULT_LIMIT;
    if (!text) return true;
    errno = 0;
    long limit = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || limit < 1 || limit > MAX_LIMIT)
        return false;
    query->limit = (int)limit;
    return true;
}

void route_job_list(const struct http_request *request, struct http_response *response) {
    static const char *const names[] = {"state", "limit", "after", NULL};
    struct job_query query = {.names = names};
    enum job_state state;
    if (!read_query(request, response, &query)) return;
    if (query.state && !job_state_find(query.state, &state)) {
        answer_wrong(request, response, "state",
                     "state must be queued, running, done, failed or cancelled");
        return;
    }
    if (!read_limit(&query)) {
        answer_wrong(request, response, "limit", "limit must lie in 1..500");
        return;
    }
    cJSON *list = jobs_list(request->server->jobs, query.state, query.limit, query.after);
    if (!list && query.after)
        answer_wrong(request, response, "after", "after must be the id of a job");
    else
        http_answer_json(response, 200, list);
}

void route_job_delete(const struct http_request *request, struct http_response *response) {
    static const char *const names[] = {"pictures", NULL};
    struct job_query query = {.names = names};
    struct jobs *jobs = request->server->jobs;
    if (!read_query(request, response, &query)) return;
    bool remove = query.pictures && strcmp(query.pictures, "true") == 0;
    if (query.pictures && !remove && strcmp(query.pictures, "false") != 0) {
        answer_wrong(request, response, "pictures", "pictures must be true or false");
        return;
    }
    enum jobs_result result = jobs_cancel(jobs, request->id);
    if (result == JOBS_OK && remove) result = jobs_delete_pictures(jobs, request->id);
    if (result == JOBS_STOPPING)
        answer_stopping(request, response);
    else if (result == JOBS_FAILED)
        http_answer_json(response, 500, NULL);
    else
        answer_job(request, response, request->id);
}

// ---- events ----

struct event_stream {
    struct job_watch *watch;
    char *text; // being sent; NULL: none
    size_t bytes, sent;
    double last_comment;
};

static void end_stream(void *user) {
    struct event_stream *stream = user;
    jobs_watch_end(stream->watch);
    free(stream->text);
    free(stream);
}

// Makes the text of an event. False: memory is out.
static bool format_event(struct event_stream *stream, const struct job_event *event) {
    static const char *const names[] = {[JOB_EVENT_STATE] = "state",
                                        [JOB_EVENT_PROGRESS] = "progress",
                                        [JOB_EVENT_PREVIEW] = "preview",
                                        [JOB_EVENT_PICTURE] = "picture"};
    size_t room = strlen(event->data) + 64;
    stream->text = malloc(room);
    stream->sent = 0;
    if (stream->text)
        stream->bytes = (size_t)snprintf(stream->text, room, "event: %s\ndata: %s\n\n",
                                         names[event->kind], event->data);
    return stream->text != NULL;
}

// Waits for the next text to send. Returns as jobs_watch_next does.
static int next_text(struct event_stream *stream) {
    struct job_event event;
    double now = fum_time_now();
    if (now - stream->last_comment >= COMMENT_SECONDS) {
        stream->last_comment = now;
        stream->text = cli_copy(":\n\n");
        stream->bytes = 3;
        stream->sent = 0;
        return stream->text ? 1 : -1;
    }
    int result = jobs_watch_next(stream->watch, 1, &event);
    if (result != 1) return result;
    bool good = format_event(stream, &event);
    free(event.data);
    return good ? 1 : -1;
}

static long send_events(void *user, char *buffer, size_t size) {
    struct event_stream *stream = user;
    int result = stream->text ? 1 : next_text(stream);
    if (result != 1) return result;
    size_t bytes = stream->bytes - stream->sent;
    if (bytes > size) bytes = size;
    memcpy(buffer, stream->text + stream->sent, bytes);
    stream->sent += bytes;
    if (stream->sent == stream->bytes) {
        free(stream->text);
        stream->text = NULL;
    }
    return (long)bytes;
}

void route_job_events(const struct http_request *request, struct http_response *response) {
    struct event_stream *stream = calloc(1, sizeof *stream);
    if (stream) stream->watch = jobs_watch(request->server->jobs, request->id);
    if (!stream || !stream->watch) {
        free(stream);
        answer_not_found(request, response);
        return;
    }
    stream->last_comment = fum_time_now();
    response->type = "text/event-stream";
    response->stream = send_events;
    response->stream_end = end_stream;
    response->user = stream;
}
