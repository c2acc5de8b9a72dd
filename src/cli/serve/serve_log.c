// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L

#include "serve_log.h"

#include "server.h"

#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)(time.tv_nsec / 1000000) / 1000;
}

// Begins a line's object. NULL: memory is out.
static cJSON *begin_line(const char *level) {
    cJSON *line = cJSON_CreateObject();
    if (!line) return NULL;
    cJSON_AddNumberToObject(line, "time", now());
    cJSON_AddStringToObject(line, "level", level);
    return line;
}

// Adds a text, with control characters and damaged UTF-8 escaped.
static void add_text(cJSON *line, const char *name, const char *text) {
    char escaped[600];
    fum_text_escape(escaped, sizeof escaped, text, strlen(text));
    cJSON_AddStringToObject(line, name, escaped);
}

static void end_line(cJSON *line) {
    char *text = line ? cJSON_PrintUnformatted(line) : NULL;
    if (text) fprintf(stderr, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(line);
}

static void log_as_json(const struct serve_request *request) {
    cJSON *line = begin_line("info");
    if (!line) return;
    add_text(line, "message", "request");
    add_text(line, "method", request->method);
    add_text(line, "path", request->path);
    cJSON_AddNumberToObject(line, "status", request->status);
    cJSON_AddNumberToObject(line, "milliseconds", (double)(long)(request->seconds * 1e4) / 10);
    add_text(line, "client", request->peer);
    end_line(line);
}

void serve_log_request(const struct server *server, const struct serve_request *request) {
    if (server->options->log_format == SERVE_LOG_JSON) {
        log_as_json(request);
        return;
    }
    flockfile(stderr);
    cli_put_line(stderr, "%s %s %d %.1f ms %s", cli_show(request->method).text, request->path,
                 request->status, request->seconds * 1000, request->peer);
    funlockfile(stderr);
}

static void log_message(void *user, enum fum_log_level level, const char *message) {
    const struct server *server = user;
    if (server->options->log_format == SERVE_LOG_JSON) {
        cJSON *line = begin_line(level <= FUM_LOG_WARN ? "warning" : "info");
        if (line) add_text(line, "message", message);
        end_line(line);
        return;
    }
    flockfile(stderr);
    cli_put_line(stderr, "%s%s", level <= FUM_LOG_WARN ? "fumarole: " : "", message);
    funlockfile(stderr);
}

struct fum_log serve_log(const struct server *server) {
    return (struct fum_log){.fn = log_message,
                            .user = (void *)(uintptr_t)server,
                            .level = server->options->verbose ? FUM_LOG_INFO : FUM_LOG_WARN};
}
