// SPDX-License-Identifier: MIT
// Checks a request's headers before its body is read.
#include "http_inner.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

// The headers that decide how a request is read. Each may be given once.
enum single {
    HOST,
    LENGTH,
    CODING,
    ENCODING,
    TYPE,
    ORIGIN,
    AUTHORIZATION,
    KEY,
    SINGLES,
};
static const char *const single_names[SINGLES] = {
    [HOST] = "Host",           [LENGTH] = "Content-Length",
    [TYPE] = "Content-Type",   [CODING] = "Transfer-Encoding",
    [ORIGIN] = "Origin",       [ENCODING] = "Content-Encoding",
    [KEY] = "Idempotency-Key", [AUTHORIZATION] = "Authorization"};

struct framing {
    const char *values[SINGLES]; // NULL: not given
    int counts[SINGLES];
    bool bad_name; // of a header, such as one with a space before its colon
    bool bad_value;
};

// True for a name that HTTP allows for a header.
static bool is_token(const char *name) {
    static const char others[] = "!#$%&'*+-.^_`|~0123456789";
    bool good = *name != 0;
    for (; good && *name; name++)
        good = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
               strchr(others, *name);
    return good;
}

// True for a value without control characters. libmicrohttpd passes a bare CR on, which others may
// take for the end of the line, and cuts a value before NUL.
static bool is_value(const char *value) {
    bool good = true;
    for (; good && *value; value++)
        good = ((unsigned char)*value >= ' ' && *value != 0x7f) || *value == '\t';
    return good;
}

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key,
                               const char *value) {
    struct framing *framing = cls;
    (void)kind;
    if (!is_token(key)) framing->bad_name = true;
    if (value && !is_value(value)) framing->bad_value = true;
    for (int i = 0; i < SINGLES; i++) {
        if (strcasecmp(key, single_names[i]) != 0) continue;
        framing->values[i] = value ? value : "";
        framing->counts[i]++;
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

// Checks that names and values of headers are those that HTTP allows, and that each header of the
// table was given at most once.
static bool check_headers(struct http_head *head, struct http_response *response,
                          const struct framing *framing) {
    char why[80];
    if (framing->bad_name)
        return refuse(
            head, response, 400,
            "the name of a header holds a space or another character that it may not have");
    if (framing->bad_value)
        return refuse(head, response, 400, "the value of a header holds a control character");
    for (int i = 0; i < SINGLES; i++) {
        if (framing->counts[i] < 2) continue;
        snprintf(why, sizeof why, "the header %s is given twice", single_names[i]);
        return refuse(head, response, 400, why);
    }
    return true;
}

static bool check_length(struct http_head *head, struct http_response *response,
                         const struct framing *framing) {
    const char *length = framing->values[LENGTH], *coding = framing->values[CODING];
    if (coding && (head->old || strcasecmp(coding, "chunked") != 0))
        return refuse(head, response, 400,
                      "the only Transfer-Encoding that is read is chunked, and only in HTTP/1.1");
    if (length && coding)
        return refuse(head, response, 400, "a body needs one Content-Length, or chunks");
    if (length && !read_length(length, &head->length))
        return refuse(head, response, 400, "Content-Length must be a whole number");
    if (!coding && head->length == 0) head->has_body = false;
    return true;
}

// Removes the host from an address in absolute form, as clients send it to a proxy.
static bool check_address(struct http_head *head, struct http_response *response) {
    static const char scheme[] = "http://";
    struct http_request *request = &head->request;
    if (strncasecmp(request->path, scheme, sizeof scheme - 1) != 0) return true;
    const char *host = request->path + sizeof scheme - 1;
    size_t bytes = strcspn(host, "/");
    if (strlen(request->host) != bytes || strncasecmp(request->host, host, bytes) != 0)
        return refuse(head, response, 400, "the address names another host than the Host header");
    request->path = host[bytes] ? host + bytes : "/";
    return true;
}

static bool check_framing(struct http_head *head, struct http_response *response) {
    struct framing framing = {0};
    MHD_get_connection_values(head->request.connection, MHD_HEADER_KIND, collect, &framing);
    // A header with a wrong name or value may have been meant to announce a body.
    head->has_body =
        framing.values[LENGTH] || framing.values[CODING] || framing.bad_name || framing.bad_value;
    if (!check_headers(head, response, &framing)) return false;
    if (!framing.values[HOST] || !is_host(framing.values[HOST]))
        return refuse(head, response, 400, "a request needs one Host header");
    head->request.host = framing.values[HOST];
    const char *encoding = framing.values[ENCODING];
    if (encoding && strcasecmp(encoding, "identity") != 0)
        return refuse(head, response, 415, "a body is read without a Content-Encoding only");
    return check_length(head, response, &framing) && check_address(head, response);
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
