// SPDX-License-Identifier: MIT
// Sends the pictures of a job as events while it is drawn, as OpenAI does with stream: true.
#include "openai.h"

#include "../base64.h"

#include <stdlib.h>
#include <string.h>

enum { SILENCE = 15 }; // seconds until a comment shows that the connection lives

struct stream {
    struct jobs *jobs;
    struct job_watch *watch;
    const char *kind; // "image_generation" or "image_edit"
    struct api_format format;
    double created;
    int partials;       // of a picture
    int picture, sent;  // the one at hand, and how many of its partial ones were sent
    int steps;          // of a picture
    char *text;         // what is sent now; NULL: nothing
    size_t bytes, used; // of the text, and of it sent
    int silent;         // seconds
    bool ended;
};

// ---- events ----

// Takes over a text that is to be sent next. A NULL text, for lack of memory, ends the stream.
static void send_text(struct stream *s, char *text) {
    free(s->text);
    s->text = text;
    s->bytes = text ? strlen(text) : 0;
    s->used = 0;
    if (!text) s->ended = true;
}

// Sends an event, and frees its object.
static void send_event(struct stream *s, const char *name, cJSON *object) {
    static const char shape[] = "event: %s\ndata: %s\n\n";
    char *json = object ? cli_json_print(object) : NULL;
    size_t size = json ? strlen(json) + strlen(name) + sizeof shape : 0;
    char *text = size ? malloc(size) : NULL;
    if (text) snprintf(text, size, shape, name, json);
    cJSON_free(json);
    cJSON_Delete(object);
    send_text(s, text);
}

// Returns an event with a picture, which is freed. NULL: memory is out.
static cJSON *make_event(const struct stream *s, const char *type, char *image, const char *size) {
    cJSON *event = cJSON_CreateObject();
    bool good = event && image && cJSON_AddStringToObject(event, "type", type) &&
                cJSON_AddStringToObject(event, "b64_json", image) &&
                cJSON_AddNumberToObject(event, "created_at", (double)(long long)s->created) &&
                openai_add_settings(event, &s->format, size);
    free(image);
    if (good) return event;
    cJSON_Delete(event);
    return NULL;
}

// Returns the preview in the size and format of the pictures, as base64.
static char *convert_preview(const struct stream *s, const char *preview) {
    struct api_file file = {0};
    struct fum_error err = {0};
    if (cli_base64_decode(preview, &file.data, &file.bytes) != CLI_BASE64_GOOD) return NULL;
    enum fum_result result = api_convert_file(&file, &s->format, &err);
    char *text = result == FUM_OK ? cli_base64_encode(file.data, file.bytes) : NULL;
    free(file.data);
    return text;
}

// True if the next partial picture is due: they lie evenly between the first step and the last.
static bool is_due(struct stream *s, int picture, int step) {
    if (picture != s->picture) {
        s->picture = picture;
        s->sent = 0;
    }
    return s->sent < s->partials && step < s->steps &&
           step * (s->partials + 1) >= s->steps * (s->sent + 1);
}

static void on_preview(struct stream *s, const cJSON *data) {
    char type[64], size[OPENAI_SIZE_BYTES];
    int picture = (int)api_member_number(data, "picture"),
        step = (int)api_member_number(data, "step");
    if (!is_due(s, picture, step)) return;
    char *image = convert_preview(s, api_member_text(data, "image"));
    if (!image) return; // the picture itself follows in any case
    snprintf(type, sizeof type, "%s.partial_image", s->kind);
    snprintf(size, sizeof size, "%dx%d", s->format.width, s->format.height);
    cJSON *event = make_event(s, type, image, size);
    if (event && !cJSON_AddNumberToObject(event, "partial_image_index", s->sent)) {
        cJSON_Delete(event);
        event = NULL;
    }
    s->sent++;
    send_event(s, type, event);
}

// Adds the count of tokens, of which drawing has none.
static bool add_usage(cJSON *event) {
    cJSON *usage = cJSON_AddObjectToObject(event, "usage");
    cJSON *details = usage ? cJSON_AddObjectToObject(usage, "input_tokens_details") : NULL;
    return details && cJSON_AddNumberToObject(details, "image_tokens", 0) &&
           cJSON_AddNumberToObject(details, "text_tokens", 0) &&
           cJSON_AddNumberToObject(usage, "input_tokens", 0) &&
           cJSON_AddNumberToObject(usage, "output_tokens", 0) &&
           cJSON_AddNumberToObject(usage, "total_tokens", 0);
}

static void on_picture(struct stream *s, const cJSON *picture) {
    char type[64], size[OPENAI_SIZE_BYTES];
    snprintf(type, sizeof type, "%s.completed", s->kind);
    openai_format_size(picture, size);
    cJSON *event = make_event(s, type, openai_encode_picture(s->jobs, picture, &s->format), size);
    bool good = event && add_usage(event) &&
                cJSON_AddNumberToObject(event, "seed", api_member_number(picture, "seed"));
    if (!good) {
        cJSON_Delete(event);
        event = NULL;
    }
    send_event(s, type, event);
}

// Sends an error where the job ended without all of its pictures.
static void on_state(struct stream *s, const cJSON *data) {
    const char *state = api_member_text(data, "state");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(data, "error");
    if (strcmp(state, "failed") != 0 && strcmp(state, "cancelled") != 0) return;
    cJSON *event = cJSON_CreateObject();
    cJSON *inner = NULL;
    if (cJSON_IsObject(error)) {
        inner = cJSON_Duplicate(error, true);
    } else if ((inner = cJSON_CreateObject())) {
        cJSON_AddStringToObject(inner, "message", "the job was cancelled");
        cJSON_AddStringToObject(inner, "type", "invalid_request_error");
        cJSON_AddNullToObject(inner, "param");
        cJSON_AddStringToObject(inner, "code", "cancelled");
    }
    bool good = event && inner && cJSON_AddStringToObject(event, "type", "error") &&
                cJSON_AddItemToObject(event, "error", inner);
    if (!good) {
        cJSON_Delete(inner);
        cJSON_Delete(event);
        event = NULL;
    }
    send_event(s, "error", event);
}

static void on_event(struct stream *s, const struct job_event *event) {
    cJSON *data = cJSON_Parse(event->data);
    double steps = api_member_number(data, "steps");
    switch (event->kind) {
    case JOB_EVENT_STATE: on_state(s, data); break;
    case JOB_EVENT_PROGRESS:
        if (steps > 0) s->steps = (int)steps;
        break;
    case JOB_EVENT_PREVIEW: on_preview(s, data); break;
    case JOB_EVENT_PICTURE: on_picture(s, data); break;
    }
    cJSON_Delete(data);
    if (event->last) s->ended = true;
}

// ---- the body ----

static void wait_for_event(struct stream *s) {
    struct job_event event = {0};
    int result = jobs_watch_next(s->watch, 1, &event);
    if (result < 0) s->ended = true;
    if (result > 0) {
        on_event(s, &event);
        free(event.data);
        return;
    }
    if (++s->silent < SILENCE || s->ended) return;
    char *comment = malloc(4);
    if (comment) memcpy(comment, ":\n\n", 4);
    send_text(s, comment);
}

static long read_stream(void *user, char *buffer, size_t size) {
    struct stream *s = user;
    if (!s->text && s->ended) return -1;
    if (!s->text) wait_for_event(s);
    if (!s->text) return s->ended ? -1 : 0;
    size_t left = s->bytes - s->used, bytes = left < size ? left : size;
    memcpy(buffer, s->text + s->used, bytes);
    s->used += bytes;
    s->silent = 0;
    if (s->used == s->bytes) {
        free(s->text);
        s->text = NULL;
    }
    return (long)bytes;
}

static void end_stream(void *user) {
    struct stream *s = user;
    jobs_watch_end(s->watch);
    free(s->text);
    free(s);
}

// Returns a stream of the job, or NULL: memory is out.
static struct stream *create_stream(const struct openai_call *o, const char *id) {
    struct jobs *jobs = o->call.request->server->jobs;
    struct stream *s = calloc(1, sizeof *s);
    cJSON *job = s ? jobs_describe(jobs, id) : NULL;
    const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(job, "parameters");
    if (parameters) {
        *s = (struct stream){.jobs = jobs,
                             .watch = jobs_watch(jobs, id),
                             .kind = o->call.route == OPENAI_GENERATE ? "image_generation"
                                                                      : "image_edit",
                             .format = o->format,
                             .created = api_member_number(job, "created"),
                             .partials = o->partials,
                             .picture = -1,
                             .steps = (int)api_member_number(parameters, "steps")};
        s->format.width = (int)api_member_number(parameters, "width");
        s->format.height = (int)api_member_number(parameters, "height");
    }
    cJSON_Delete(job);
    if (s && s->watch) return s;
    free(s);
    return NULL;
}

void openai_stream(struct openai_call *o, const char *id) {
    struct http_response *response = o->call.response;
    struct stream *s = create_stream(o, id);
    if (!s) {
        api_answer_no_memory(o->call.request, response);
        return;
    }
    response->status = 200;
    response->type = "text/event-stream";
    response->stream = read_stream;
    response->stream_end = end_stream;
    response->user = s;
}
