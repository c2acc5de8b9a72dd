// SPDX-License-Identifier: MIT
// Makes answers: JSON values, and errors in the shape that a group of routes has.
#include "http.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char no_memory[] =
    "{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":"
    "null},\"detail\":\"out of memory\",\"body\":\"\",\"errors\":\"out of memory\"}";

void http_answer_json(struct http_response *response, int status, cJSON *value) {
    free(response->body);
    response->status = status;
    response->type = NULL;
    response->body = value ? cli_json_print(value) : NULL;
    response->fixed = NULL;
    response->bytes = response->body ? strlen(response->body) : 0;
    cJSON_Delete(value);
    if (response->body) return;
    response->status = 500;
    response->fixed = no_memory;
    response->bytes = sizeof no_memory - 1;
}

static const char *usual_type(int status) {
    if (status >= 500) return "server_error";
    if (status == 429) return "rate_limit_error";
    return status == 401 ? "authentication_error" : "invalid_request_error";
}

static bool add_text_or_null(cJSON *object, const char *name, const char *text) {
    return text ? cJSON_AddStringToObject(object, name, text) != NULL
                : cJSON_AddNullToObject(object, name) != NULL;
}

static bool fill_own(cJSON *object, const struct http_error *error, const char *message) {
    cJSON *inner = cJSON_AddObjectToObject(object, "error");
    return inner && cJSON_AddStringToObject(inner, "message", message) &&
           cJSON_AddStringToObject(inner, "type", error->type) &&
           add_text_or_null(inner, "param", error->param) &&
           add_text_or_null(inner, "code", error->code);
}

static bool fill_a1111(cJSON *object, const struct http_error *error, const char *message) {
    return cJSON_AddStringToObject(object, "error", error->type) &&
           cJSON_AddStringToObject(object, "detail", message) &&
           cJSON_AddStringToObject(object, "body", "") &&
           cJSON_AddStringToObject(object, "errors", message);
}

// Returns the dialect of a request, which outside of the table its path decides.
static enum http_dialect find_dialect(const struct http_request *request) {
    if (request->route) return request->route->dialect;
    if (strncmp(request->path, "/sdapi/", 7) == 0) return HTTP_A1111;
    return strncmp(request->path, "/v1/", 4) == 0 ? HTTP_OPENAI : HTTP_OWN;
}

void http_answer_error(const struct http_request *request, struct http_response *response,
                       const struct http_error *error, const char *fmt, ...) {
    char text[1500], message[2000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fum_text_escape(message, sizeof message, text, strlen(text));
    enum http_dialect dialect = find_dialect(request);
    struct http_error e = *error;
    if (!e.type) e.type = usual_type(e.status);
    if (dialect == HTTP_OPENAI && e.status == 422) e.status = 400;
    cJSON *object = cJSON_CreateObject();
    bool good = object && (dialect == HTTP_A1111 ? fill_a1111(object, &e, message)
                                                 : fill_own(object, &e, message));
    if (!good) {
        cJSON_Delete(object);
        object = NULL;
    }
    http_answer_json(response, e.status, object);
}

void http_answer_refusal(const struct http_request *request, struct http_response *response,
                         const struct job_error *error) {
    struct http_error e = {
        .status = 422, .param = error->param[0] ? error->param : NULL, .code = error->code};
    if (error->refusal == JOB_UNKNOWN_MODEL) {
        if (find_dialect(request) == HTTP_OPENAI) e.status = 404;
        e.code = "model_not_found";
    }
    if (error->refusal == JOB_NO_MEMORY) e.status = 503;
    http_answer_error(request, response, &e, "%s", error->message);
}
