// SPDX-License-Identifier: MIT
// Checks a request's headers before its body is read.
#include "http_inner.h"

#include <string.h>
#include <strings.h>

// The headers that decide how a request is read, and how often each was given.
struct framing {
    const char *host, *length, *coding;
    int hosts, lengths, codings;
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key,
                               const char *value) {
    struct framing *framing = cls;
    const struct {
        const char *name, **value;
        int *count;
    } headers[] = {{"Host", &framing->host, &framing->hosts},
                   {"Content-Length", &framing->length, &framing->lengths},
                   {"Transfer-Encoding", &framing->coding, &framing->codings}};
    (void)kind;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (strcasecmp(key, headers[i].name) != 0) continue;
        *headers[i].value = value ? value : "";
        (*headers[i].count)++;
    }
    return MHD_YES;
}

static bool refuse(struct http_head *head, struct http_response *response, int status,
                   const char *why) {
    const struct http_error error = {.status = status};
    http_answer_error(&head->request, response, &error, "%s", why);
    return false;
}

// Reads a length of digits alone. Returns false if it is none.
static bool read_length(const char *text, uint64_t *length) {
    *length = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || *length > UINT64_MAX / 10 - 10) return false;
        *length = *length * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

// True for a text that may be a host with a port.
static bool is_host(const char *text) {
    static const char others[] = "-._:[]";
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes > 255) return false;
    for (; *text; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (!letter && !(*text >= '0' && *text <= '9') && !strchr(others, *text)) return false;
    }
    return true;
}

static bool check_framing(struct http_head *head, struct http_response *response) {
    struct framing framing = {0};
    MHD_get_connection_values(head->request.connection, MHD_HEADER_KIND, collect, &framing);
    head->has_body = framing.codings || framing.lengths;
    if (framing.hosts != 1 || !is_host(framing.host))
        return refuse(head, response, 400, "a request needs one Host header");
    head->request.host = framing.host;
    if (framing.codings && (framing.codings > 1 || strcasecmp(framing.coding, "chunked") != 0))
        return refuse(head, response, 400, "the only Transfer-Encoding that is read is chunked");
    if (framing.lengths > 1 || (framing.lengths && framing.codings))
        return refuse(head, response, 400, "a body needs one Content-Length, or chunks");
    if (framing.lengths && !read_length(framing.length, &head->length))
        return refuse(head, response, 400, "Content-Length must be a whole number");
    if (!framing.codings && head->length == 0) head->has_body = false;
    return true;
}

// True if `host` is `name`, with the port that is listened on. A port of 80 may be left out.
static bool is_name(const char *host, const char *name, int port) {
    char expected[128];
    snprintf(expected, sizeof expected, strchr(name, ':') ? "[%s]:%d" : "%s:%d", name, port);
    if (strcasecmp(host, expected) == 0) return true;
    *strrchr(expected, ':') = 0;
    return port == 80 && strcasecmp(host, expected) == 0;
}

static bool check_host(const struct http_params *params, struct http_head *head,
                       struct http_response *response) {
    const char *names[] = {"127.0.0.1", "localhost", "::1", params->ip};
    if (!params->loopback) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_name(head->request.host, names[i], params->port)) return true;
    return refuse(head, response, 403,
                  "this Host is not served here: use 127.0.0.1 or localhost with the port");
}

static bool check_key(const struct http_params *params, struct http_head *head,
                      struct http_response *response) {
    if (!params->keys || strcmp(head->request.path, "/health") == 0) return true;
    const char *given = http_header(&head->request, "Authorization");
    if (given && http_keys_accept(params->keys, given)) return true;
    const struct http_error error = {.status = 401, .code = "invalid_api_key"};
    http_answer_error(&head->request, response, &error, "%s",
                      given ? "the API key is not one of this server"
                            : "an API key is needed: Authorization: Bearer KEY");
    return false;
}

// True if a page of this server made the request.
static bool is_same_origin(const char *origin, const char *host) {
    const char *authority = strstr(origin, "://");
    return authority && strcasecmp(authority + 3, host) == 0;
}

static bool check_origin(const struct http_params *params, struct http_head *head,
                         struct http_response *response) {
    const char *origin = http_header(&head->request, "Origin");
    head->cors = origin && params->cors && strcasecmp(origin, params->cors) == 0;
    bool reads =
        strcmp(head->request.method, "GET") == 0 || strcmp(head->request.method, "OPTIONS") == 0;
    if (!origin || head->cors || reads || is_same_origin(origin, head->request.host)) return true;
    return refuse(head, response, 403,
                  "a page of another Origin may not call this server; --cors allows one");
}

static bool find_route(struct http_head *head, struct http_response *response) {
    struct http_request *request = &head->request;
    request->route = http_find_route(request->method, request->path, head->id, head->allow);
    if (request->route) {
        request->id = head->id[0] ? head->id : NULL;
        return true;
    }
    if (!head->allow[0]) return refuse(head, response, 404, "there is no such path");
    response->allow = head->allow;
    if (strcmp(request->method, "OPTIONS") != 0)
        return refuse(head, response, 405, "this path has no such method");
    head->preflight = true;
    response->status = 204;
    return false;
}

// True if the type of a body is `expected`, with parameters or without.
static bool is_type(const char *type, const char *expected) {
    const size_t bytes = strlen(expected);
    return type && strncasecmp(type, expected, bytes) == 0 && strchr("; \t", type[bytes]);
}

static bool check_body(struct http_head *head, struct http_response *response) {
    enum http_body kind = head->request.route->body;
    const char *type = http_header(&head->request, "Content-Type");
    if (head->length > HTTP_MAX_BODY)
        return refuse(head, response, 413, "a request's body may have 64 MB");
    bool json = kind == HTTP_JSON || kind == HTTP_JSON_OPTIONAL;
    if (json && (head->has_body || type) && !is_type(type, "application/json"))
        return refuse(head, response, 415, "JSON is taken as Content-Type: application/json only");
    if (kind == HTTP_MULTIPART && !is_type(type, "multipart/form-data"))
        return refuse(head, response, 400, "the body must be multipart/form-data");
    return true;
}

bool http_check(const struct http_params *params, struct http_head *head,
                struct http_response *response) {
    return check_framing(head, response) && check_host(params, head, response) &&
           check_origin(params, head, response) &&
           (strcmp(head->request.method, "OPTIONS") == 0 || check_key(params, head, response)) &&
           find_route(head, response) && check_body(head, response);
}
