// SPDX-License-Identifier: MIT
// Runs libmicrohttpd: a thread serves each connection, so handlers may wait.
#define _POSIX_C_SOURCE 200809L

#include "http_inner.h"

#include "../job/json.h"
#include "serve_log.h"
#include "server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The connection that this thread serves, for errors that libmicrohttpd finds by itself.
static _Thread_local struct {
    struct http *http;
    struct http_link *link;
} serving;

static void refuse(struct http_exchange *exchange, int status, const char *why) {
    const struct http_error error = {.status = status};
    http_answer_error(&exchange->head.request, &exchange->response, &error, "%s", why);
}

// Makes room for `needed` bytes of the body. Returns false if there is none.
static bool grow_body(struct http_exchange *exchange, size_t needed) {
    size_t capacity = exchange->capacity * 2 < needed ? needed : exchange->capacity * 2;
    size_t more = capacity - exchange->capacity;
    if (needed <= exchange->capacity) return true;
    bool fits = atomic_fetch_add(&exchange->http->held, more) + more <= HTTP_MAX_HELD;
    char *larger = fits ? realloc(exchange->body, capacity) : NULL;
    if (!larger) {
        atomic_fetch_sub(&exchange->http->held, more);
        return false;
    }
    exchange->body = larger;
    exchange->capacity = capacity;
    return true;
}

static void free_body(struct http_exchange *exchange) {
    atomic_fetch_sub(&exchange->http->held, exchange->capacity);
    free(exchange->body);
}

static void append_body(struct http_exchange *exchange, const char *data, size_t bytes) {
    size_t needed = exchange->bytes + bytes + 1;
    if (exchange->failure) return;
    if (needed > (size_t)HTTP_MAX_BODY + 1)
        exchange->failure = 413;
    else if (!grow_body(exchange, needed))
        exchange->failure = 503;
    if (exchange->failure) return;
    memcpy(exchange->body + exchange->bytes, data, bytes);
    exchange->bytes += bytes;
    exchange->body[exchange->bytes] = 0;
}

static void refuse_json(struct http_exchange *exchange, const struct job_json_error *why) {
    const struct http_error error = {.status = 400};
    http_answer_error(&exchange->head.request, &exchange->response, &error,
                      "the body is not JSON: %s", why->text);
}

// Reads a body that must be an object of JSON. Returns false with the error in the response.
static bool read_json(struct http_exchange *exchange) {
    struct http_request *request = &exchange->head.request;
    enum http_body kind = request->route->body;
    struct job_json_error error = {0};
    if (kind != HTTP_JSON && (kind != HTTP_JSON_OPTIONAL || request->bytes == 0)) return true;
    enum cli_json read = job_json_read(&request->json, request->body, request->bytes, &error);
    if (read == CLI_JSON_GOOD && cJSON_IsObject(request->json)) return true;
    if (read == CLI_JSON_NO_MEMORY)
        refuse(exchange, 503, "no memory for the request");
    else if (read == CLI_JSON_GOOD)
        refuse(exchange, 400, "the body must be a JSON object");
    else
        refuse_json(exchange, &error);
    return false;
}

static enum MHD_Result handle(struct http_exchange *exchange) {
    static const char empty[] = "";
    struct http_request *request = &exchange->head.request;
    if (!http_links_enter(exchange->http->links, exchange->link, HTTP_BUSY)) return MHD_NO;
    request->body = exchange->body ? exchange->body : empty;
    request->bytes = exchange->bytes;
    if (exchange->answered) return http_send(exchange);
    if (exchange->failure == 413)
        refuse(exchange, 413, "a request's body may have 64 MB");
    else if (exchange->failure)
        refuse(exchange, exchange->failure, "no memory for the request");
    else if (exchange->http->stopping)
        refuse(exchange, 503, "the server is going down");
    else if (read_json(exchange))
        request->route->handle(request, &exchange->response);
    cJSON_Delete(request->json);
    request->json = NULL;
    return http_send(exchange);
}

static enum MHD_Result begin(struct http_exchange *exchange) {
    struct http *http = exchange->http;
    bool good = http_check(&http->params, &exchange->head, &exchange->response);
    if (good && exchange->link->surplus) {
        refuse(exchange, 503, "too many connections");
        exchange->response.retry_after = 1;
        good = false;
    }
    if (!good) {
        exchange->answered = true;
        exchange->unread = exchange->head.has_body || exchange->link->surplus;
        if (!exchange->unread) return MHD_YES; // so that the connection stays
        return http_send(exchange);
    }
    MHD_set_connection_option(exchange->head.request.connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              (unsigned)HTTP_UNWATCHED_SECONDS);
    return http_links_enter(http->links, exchange->link, HTTP_BODY) ? MHD_YES : MHD_NO;
}

// Stores the address of the client.
static void find_peer(struct MHD_Connection *connection, char peer[HTTP_PEER_BYTES]) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (!address) return;
    socklen_t size =
        address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getnameinfo(address, size, peer, HTTP_PEER_BYTES, NULL, 0, NI_NUMERICHOST)) peer[0] = 0;
}

static struct http_exchange *create_exchange(struct http *http, struct MHD_Connection *connection,
                                             const char *method, const char *path) {
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!exchange || !info->socket_context) {
        free(exchange);
        return NULL;
    }
    exchange->http = http;
    exchange->link = info->socket_context;
    exchange->began = fum_time_now();
    exchange->method = method;
    find_peer(connection, exchange->peer);
    exchange->head.request =
        (struct http_request){.server = http->params.server,
                              .method = strcmp(method, "HEAD") == 0 ? "GET" : method,
                              .path = path,
                              .connection = connection};
    return exchange;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **context) {
    struct http_exchange *exchange = *context;
    if (!exchange) {
        *context = exchange = create_exchange(cls, connection, method, path);
        if (exchange) exchange->head.old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
        return exchange ? begin(exchange) : MHD_NO;
    }
    if (!*bytes) return handle(exchange);
    append_body(exchange, data, *bytes);
    *bytes = 0;
    return MHD_YES;
}

// ---- ends ----

// Reads what a client still sends, a while at most: closing at once would reset the connection, and
// the answer would be lost.
static void linger(int fd) {
    enum { WAIT_MILLISECONDS = 2000, MAX_BYTES = 128 << 20 };
    const double last = fum_time_now() + 10;
    static _Thread_local char dropped[16384];
    shutdown(fd, SHUT_WR);
    for (long total = 0; total < MAX_BYTES && fum_time_now() < last;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, WAIT_MILLISECONDS) <= 0) return;
        ssize_t bytes = recv(fd, dropped, sizeof dropped, 0);
        if (bytes <= 0) return;
        total += bytes;
    }
}

static void log_exchange(const struct http_exchange *exchange, const char *method) {
    const struct http_request *request = &exchange->head.request;
    struct server *server = exchange->http->params.server;
    const struct serve_request entry = {.method = method,
                                        .path = request->path,
                                        .peer = exchange->peer,
                                        .status = exchange->response.status,
                                        .seconds = fum_time_now() - exchange->began};
    serve_log_request(server, &entry);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    struct http *http = cls;
    struct http_exchange *exchange = *context;
    (void)connection;
    bool unread = serving.link && serving.link->spoiled;
    if (exchange) {
        struct http_response *response = &exchange->response;
        unread = unread || exchange->unread;
        if (response->stream_end) response->stream_end(response->user);
        if (response->status) log_exchange(exchange, exchange->method);
        free(response->body);
        free_body(exchange);
        free(exchange);
        *context = NULL;
    }
    if (!serving.link) return;
    http_links_enter(http->links, serving.link, HTTP_SILENT);
    if (unread && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) linger(serving.link->fd);
}

// Notes the connection that this thread serves, before its headers are read.
static void *on_line(void *cls, const char *line, struct MHD_Connection *connection) {
    struct http *http = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    (void)line;
    serving.http = http;
    serving.link = info->socket_context;
    if (serving.link) http_links_hear(http->links, serving.link);
    return NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http *http = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = http_links_add(http->links, info->connect_fd);
        return;
    }
    if (serving.link == *context) serving.link = NULL;
    http_links_remove(http->links, *context);
}

// Answers in JSON for a request that libmicrohttpd itself refuses, with HTML, after logging this.
// Before a connection's first line it does not say which one it is.
static void on_message(void *cls, const char *fmt, va_list args) {
    static const char sign[] = "Error processing request (HTTP response code is %u";
    struct http *http = cls;
    if (strncmp(fmt, sign, sizeof sign - 1) != 0) return;
    struct http_link *link = serving.link ? serving.link : http_links_find_first(http->links);
    int status = (int)va_arg(args, unsigned);
    if (status == 500) status = 400; // which it reports for a chunk's line that is too long
    if (!link || !http_links_spoil(http->links, link, status)) return;
    metrics_add_request(http->params.server->metrics, status);
    if (!serving.link) linger(link->fd); // no on_completed follows
}

static size_t unescape(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls, (void)connection;
    return http_unescape(text);
}

static void count_timeout(void *user) {
    struct http *http = user;
    metrics_add_request(http->params.server->metrics, 408);
}

static struct MHD_Daemon *start(struct http *http, int fd) {
    return MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_message, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(HTTP_MAX_LINKS + HTTP_SPARE_LINKS), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_UNWATCHED_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_LINK_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_URI_LOG_CALLBACK, on_line, http,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, http, MHD_OPTION_END);
}

int http_open(struct http **http, const struct http_params *params) {
    struct http *h = *http = calloc(1, sizeof *h);
    if (!h) return cli_fail("no memory for the server");
    h->params = *params;
    int fd = http_listen(params->ip, &h->params.port);
    if (fd < 0) return CLI_FAILED;
    h->links = http_links_create(count_timeout, h);
    h->daemon = h->links ? start(h, fd) : NULL;
    if (h->daemon) return 0;
    close(fd);
    return cli_fail("the server could not start: no memory or threads");
}

int http_port(const struct http *http) {
    return http->params.port;
}

bool http_adopt(struct http *http, int fd) {
    const struct sockaddr_in nowhere = {.sin_family = AF_INET};
    return MHD_add_connection(http->daemon, fd, (const struct sockaddr *)&nowhere,
                              sizeof nowhere) == MHD_YES;
}

void http_close(struct http **http) {
    struct http *h = *http;
    if (!h) return;
    h->stopping = true;
    if (h->links) http_links_drain(h->links, HTTP_GRACE_MILLISECONDS);
    if (h->daemon) MHD_stop_daemon(h->daemon);
    http_links_destroy(&h->links);
    free(h);
    *http = NULL;
}
