// SPDX-License-Identifier: MIT
// Fuzz target of the server's HTTP layer: damaged requests, with routes of every kind of body. Most
// are served by this thread, on connections that stay open as long as all requests are answered. A
// thread and a connection for each input would take longer than its requests.
#define _GNU_SOURCE

#include "cli/serve/http.h"
#include "cli/serve/http_server.h"
#include "cli/serve/serve_log.h"
#include "cli/serve/server.h"
#include "damage.h"
#include "fitted_parts.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 20000, MAX_ANSWER = 1 << 20 };

// ---- routes ----

// Reads every byte, so that a sanitizer checks them.
static unsigned long sum;
static void read_bytes(const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) sum += ((const unsigned char *)data)[i];
}

static void read_text(const char *text) {
    if (text) read_bytes(text, strlen(text));
}

static bool read_part(void *user, const struct http_part *part) {
    int *count = user;
    read_text(part->name);
    read_text(part->filename);
    read_text(part->type);
    read_bytes(part->data, part->bytes);
    return ++*count < 20;
}

static bool read_argument(void *user, const char *name, const char *value) {
    (void)user;
    read_text(name);
    read_text(value);
    return true;
}

static void handle(const struct http_request *request, struct http_response *response) {
    int parts = 0;
    const struct http_error error = {.status = 422, .param = request->id, .code = "out_of_range"};
    read_bytes(request->body, request->bytes);
    if (request->body[request->bytes]) abort();
    http_each_query(request, read_argument, NULL);
    read_text(http_query(request, "state"));
    read_text(http_header(request, "Idempotency-Key"));
    bool whole = http_each_part(request, read_part, &parts);
    if (request->route->body == HTTP_JSON && !cJSON_IsObject(request->json)) abort();
    if (request->json)
        http_answer_json(response, 200, cJSON_Duplicate(request->json, true));
    else if (whole)
        http_answer_json(response, 201, cJSON_CreateNumber(parts));
    else
        http_answer_error(request, response, &error, "%s", request->path);
}

// Ends after a few pieces.
static long write_piece(void *user, char *buffer, size_t size) {
    int *left = user;
    if (--*left < 0) return -1;
    memset(buffer, 'x', size < 100 ? size : 100);
    return size < 100 ? (long)size : 100;
}

static void handle_stream(const struct http_request *request, struct http_response *response) {
    int *left = malloc(sizeof *left);
    (void)request;
    if (!left) fitted_fail("a stream");
    *left = 3;
    *response = (struct http_response){
        .type = "text/event-stream", .stream = write_piece, .stream_end = free, .user = left};
}

const struct http_route http_routes[] = {
    {"GET", "/health", HTTP_OWN, HTTP_NO_BODY, handle, ""},
    {"POST", "/api/jobs", HTTP_OWN, HTTP_JSON, handle, ""},
    {"DELETE", "/api/jobs/{id}", HTTP_OWN, HTTP_NO_BODY, handle, ""},
    {"GET", "/api/jobs/{id}/events", HTTP_OWN, HTTP_NO_BODY, handle_stream, ""},
    {"POST", "/sdapi/v1/options", HTTP_A1111, HTTP_JSON_OPTIONAL, handle, ""},
    {"POST", "/v1/images/edits", HTTP_OPENAI, HTTP_MULTIPART, handle, ""},
    {0},
};

void serve_log_request(const struct server *server, const struct serve_request *request) {
    (void)server;
    read_text(request->method);
    read_text(request->path);
    read_text(request->peer);
}

// ---- requests ----

struct text {
    char at[MAX_BYTES];
    size_t used;
};

static void add_bytes(struct text *text, const char *bytes, size_t count) {
    if (count > sizeof text->at - text->used) count = sizeof text->at - text->used;
    memcpy(text->at + text->used, bytes, count);
    text->used += count;
}

static void add(struct text *text, const char *word) {
    add_bytes(text, word, strlen(word));
}

static const char *pick(struct choices *c, const char *const *words, uint32_t count) {
    return words[choose(c, count)];
}
#define PICK(c, words) pick(c, words, sizeof words / sizeof *words)

static void add_header(struct text *text, struct choices *c) {
    static const char *const headers[] = {"Host: 127.0.0.1:80",
                                          "Content-Type: application/json",
                                          "Content-Type: multipart/form-data; boundary=b",
                                          "Content-Type: multipart/form-data; boundary=\"b",
                                          "Origin: http://evil",
                                          "Origin: http://app",
                                          "Authorization: Bearer sesame",
                                          "Authorization: Basic eDpzZXNhbWU=",
                                          "Authorization: Basic =",
                                          "Expect: 100-continue",
                                          "Transfer-Encoding: chunked",
                                          "Transfer-Encoding: gzip",
                                          "Content-Length: 3",
                                          "Content-Length: 99999999999",
                                          "Content-Length: 7x",
                                          "Connection: close",
                                          "Connection: upgrade",
                                          "If-None-Match: \"x\"",
                                          "Idempotency-Key: a",
                                          "X-Fold: a\r\n b",
                                          "no colon",
                                          ": empty",
                                          "Range: bytes=0-1",
                                          "Accept-Encoding: gzip",
                                          "Cookie: a=b; c"};
    const char *header = PICK(c, headers);
    size_t bytes = strlen(header);
    char *damaged = one_in(c, 4) ? damage_text(header, c, &bytes) : NULL;
    add_bytes(text, damaged ? damaged : header, bytes);
    add(text, "\r\n");
    free(damaged);
}

static void add_line(struct text *text, struct choices *c) {
    static const char *const methods[] = {"GET",     "POST", "DELETE", "HEAD",
                                          "OPTIONS", "PUT",  "BREW"};
    static const char *const paths[] = {"/health",
                                        "/api/jobs",
                                        "/api/jobs/abc",
                                        "/api/jobs/abc/events",
                                        "/sdapi/v1/options",
                                        "/v1/images/edits",
                                        "/",
                                        "/api/jobs?state=a&limit=%31&&=x",
                                        "/api/jobs/%2e%2e%00/%zz",
                                        "http://evil/health",
                                        "*",
                                        "/sdapi/v1/nope",
                                        "/v1/nope"};
    static const char *const versions[] = {" HTTP/1.1\r\n", " HTTP/1.0\r\n", " HTTP/2.0\r\n",
                                           "\r\n"};
    const char *path = PICK(c, paths);
    size_t bytes = strlen(path);
    char *damaged = one_in(c, 4) ? damage_text(path, c, &bytes) : NULL;
    add(text, PICK(c, methods));
    add(text, " ");
    add_bytes(text, damaged ? damaged : path, bytes);
    add(text, one_in(c, 8) ? PICK(c, versions) : versions[0]);
    free(damaged);
}

// Returns a body, to free.
static char *make_body(struct choices *c, bool multipart, size_t *bytes) {
    static const char json[] =
        "{\"prompt\": \"fox\", \"seed\": 5, \"list\": [1.5e3, null, true, {}], \"t\": \"\\u00e9\"}";
    static const char parts[] =
        "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n"
        "Content-Type: image/png\r\n\r\ndata\r\n--b\r\ncontent-disposition: form-data; name=n\r\n"
        "\r\n2\r\n--b--\r\n";
    return multipart ? damage_text(parts, c, bytes) : damage_json(json, c, bytes);
}

static void add_body(struct text *text, struct choices *c, bool multipart) {
    char line[64];
    size_t bytes;
    char *body = make_body(c, multipart, &bytes);
    bool chunks = one_in(c, 3);
    snprintf(line, sizeof line,
             chunks ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: %zu\r\n\r\n", bytes);
    add(text, line);
    size_t piece = chunks ? 1 + choose(c, 300) : bytes;
    for (size_t at = 0; at < bytes; at += piece) {
        size_t now = bytes - at < piece ? bytes - at : piece;
        snprintf(line, sizeof line, "%zx\r\n", now);
        if (chunks) add(text, line);
        add_bytes(text, body + at, now);
        if (chunks) add(text, "\r\n");
    }
    if (chunks) add(text, "0\r\n\r\n");
    free(body);
}

static void add_head(struct text *text, struct choices *c, int port) {
    char host[64];
    snprintf(host, sizeof host, "Host: 127.0.0.1:%d\r\n", port);
    if (!one_in(c, 16)) add(text, host);
    if (!one_in(c, 4)) add(text, "Authorization: Bearer sesame\r\n");
    uint32_t headers = one_in(c, 2) ? choose(c, 4) : 0;
    for (uint32_t i = 0; i < headers; i++) add_header(text, c);
}

// Adds a request of any path, or one whose body suits its route.
static void add_request(struct text *text, struct choices *c, int port) {
    static const char *const lines[] = {
        "POST /api/jobs HTTP/1.1\r\nContent-Type: application/json\r\n",
        "POST /sdapi/v1/options HTTP/1.1\r\nContent-Type: application/json\r\n",
        "POST /v1/images/edits HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"};
    uint32_t kind = choose(c, 4);
    if (kind == 3)
        add_line(text, c);
    else
        add(text, lines[kind]);
    add_head(text, c, port);
    if (kind < 3 || one_in(c, 2))
        add_body(text, c, kind == 2 || (kind == 3 && one_in(c, 2)));
    else
        add(text, "\r\n");
}

// ---- connections ----

static bool threads;               // the next daemon has threads, as the server's has
static struct MHD_Daemon *started; // the last daemon

// Takes the place of libmicrohttpd's function.
struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept,
                                    void *accept_user, MHD_AccessHandlerCallback answer,
                                    void *answer_user, ...) {
    va_list options;
    va_start(options, answer_user);
    started = MHD_start_daemon_va(threads ? flags : MHD_USE_ERROR_LOG, port, accept, accept_user,
                                  answer, answer_user, options);
    va_end(options);
    return started;
}

static _Thread_local int waited_for = -1; // the client's end, while the server runs in this thread

// Takes the place of the system's function. A server that refuses a request waits for its client's
// end, which comes at once.
int poll(struct pollfd *fds, nfds_t count, int milliseconds) {
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    if (waited_for >= 0) shutdown(waited_for, SHUT_WR);
    return ppoll(fds, count, milliseconds < 0 ? NULL : &time, NULL);
}

struct served {
    struct http *http;
    struct MHD_Daemon *daemon; // NULL: it has threads
    int fd;                    // of the client's end of the connection; -1: there is none
};

static void connect_client(struct served *served) {
    const struct timeval patience = {.tv_sec = 20};
    int pair[2];
    if (served->fd >= 0) return;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) fitted_fail("a socket");
    if (!served->daemon) setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!http_adopt(served->http, pair[1])) fitted_fail("a connection");
    served->fd = pair[0];
}

static void disconnect(struct served *served) {
    close(served->fd);
    served->fd = -1;
    if (served->daemon) MHD_run(served->daemon); // forgets the connection
}

// What the server answered to an input.
static char answer[MAX_ANSWER];
static size_t answered;

// Reads what is there. Returns false at the end of the connection.
static bool read_answer(const struct served *served, bool *waits) {
    ssize_t count = recv(served->fd, answer + answered, sizeof answer - answered,
                         served->daemon ? MSG_DONTWAIT : 0);
    *waits = count < 0 && served->daemon && errno == EAGAIN;
    if (count > 0) answered += (size_t)count;
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return false;
    if (count < 0 && errno != EINTR && !*waits) abort(); // no end within 20 s
    return true;
}

// Runs the server until nothing comes from it any more. Returns false at the end of the connection.
static bool read_answers(const struct served *served, int silent_rounds) {
    bool open = true, waits = false;
    for (int silent = 0; open && silent < silent_rounds; silent = waits ? silent + 1 : 0) {
        waited_for = served->daemon ? served->fd : -1;
        if (served->daemon) MHD_run(served->daemon);
        waited_for = -1;
        open = read_answer(served, &waits);
    }
    return open;
}

static uint32_t count_answers(void) {
    static const char begin[] = "HTTP/1.";
    uint32_t count = 0;
    for (const char *at = answer, *end = answer + answered; at; count += at != NULL) {
        at = memmem(at, (size_t)(end - at), begin, sizeof begin - 1);
        if (at) at += sizeof begin - 1;
    }
    return count;
}

// Sends requests and reads the answers. The connection ends unless each was answered.
static void converse(struct served *served, const struct text *text, uint32_t requests) {
    enum { SILENT = 3, ENDLESS = 100000 };
    connect_client(served);
    answered = 0;
    if (send(served->fd, text->at, text->used, MSG_NOSIGNAL) != (ssize_t)text->used)
        fitted_fail("sending");
    bool open = !served->daemon || read_answers(served, SILENT);
    if (open && (!served->daemon || count_answers() != requests)) {
        shutdown(served->fd, SHUT_WR);
        open = read_answers(served, ENDLESS);
        if (open) abort(); // the server does not end
    }
    if (answered && memcmp(answer, "HTTP/1.", answered < 7 ? answered : 7) != 0) abort();
    if (!open) disconnect(served);
}

// Opens a server without a key, or one with.
static void open_server(struct served *served, bool with_key, bool threaded) {
    static struct server server;
    struct http_params params = {.server = &server, .ip = "127.0.0.1", .loopback = !with_key};
    if (!server.metrics) server.metrics = metrics_create();
    if (with_key) {
        struct http_keys *keys = NULL;
        fitted_folder();
        damage_save("keys", "sesame\nother\n", 13);
        char path[300];
        snprintf(path, sizeof path, "%s/keys", fitted_root);
        if (http_keys_read(&keys, path)) fitted_fail("keys");
        params.keys = keys;
        params.cors = "http://app";
    }
    threads = threaded;
    if (http_open(&served->http, &params)) fitted_fail("a server");
    served->daemon = threaded ? NULL : started;
    served->fd = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct served servers[2][2];
    static struct text text;
    struct choices c = {data, size, 0};
    bool with_key = one_in(&c, 3), threaded = one_in(&c, 64);
    struct served *served = &servers[with_key][threaded];
    if (!served->http) open_server(served, with_key, threaded);
    text.used = 0;
    uint32_t requests = 1 + choose(&c, 3);
    for (uint32_t i = 0; i < requests; i++) add_request(&text, &c, http_port(served->http));
    if (one_in(&c, 4) && text.used > 3)
        text.used -= choose(&c, (uint32_t)(text.used < 256 ? text.used : 256));
    converse(served, &text, requests);
    return 0;
}
