// SPDX-License-Identifier: MIT
// Answers what concerns the server itself, and sends the files of its page.
#define _POSIX_C_SOURCE 200809L

#include "page_files.h"
#include "routes.h"
#include "server.h"

#include <string.h>

void route_health(const struct http_request *request, struct http_response *response) {
    cJSON *health = cJSON_CreateObject();
    (void)request;
    bool good = health && cJSON_AddStringToObject(health, "status", "ok") &&
                cJSON_AddStringToObject(health, "version", fum_version());
    if (!good) {
        cJSON_Delete(health);
        health = NULL;
    }
    http_answer_json(response, 200, health);
}

// Paths that do not name their file. Browsers request the last one beside other answers, too.
static const struct {
    const char *path, *file;
} page_paths[] = {{"/", "index.html"}, {"/favicon.ico", "icon.svg"}};

static const char *name_page_file(const char *path) {
    for (size_t i = 0; i < sizeof page_paths / sizeof page_paths[0]; i++)
        if (strcmp(path, page_paths[i].path) == 0) return page_paths[i].file;
    return path + 1;
}

// Sends the file of the page that the path stands for.
void route_page(const struct http_request *request, struct http_response *response) {
    const struct page_file *file = page_find(name_page_file(request->path));
    if (!file) {
        const struct http_error error = {.status = 404};
        http_answer_error(request, response, &error, "there is no such file");
        return;
    }
    const char *known = http_header(request, "If-None-Match");
    response->type = file->type;
    snprintf(response->etag, sizeof response->etag, "%s", file->etag);
    if (known && strcmp(known, file->etag) == 0) {
        response->status = 304;
        return;
    }
    response->fixed = file->data;
    response->bytes = file->bytes;
}
