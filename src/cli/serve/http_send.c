// SPDX-License-Identifier: MIT
// Sends answers: their headers, and bodies that lie in memory or come piece by piece.
#define _POSIX_C_SOURCE 200809L

#include "http_inner.h"
#include "server.h"

#include <poll.h>
#include <sys/socket.h>

static void add_header(struct MHD_Response *answer, const char *name, const char *value) {
    if (value && *value) MHD_add_response_header(answer, name, value);
}

static void add_cors(const struct http_exchange *exchange, struct MHD_Response *answer) {
    add_header(answer, "Vary", "Origin");
    if (!exchange->head.cors) return;
    add_header(answer, "Access-Control-Allow-Origin", exchange->http->params.cors);
    if (!exchange->head.preflight) {
        add_header(answer, "Access-Control-Expose-Headers", "Location, Retry-After");
        return;
    }
    add_header(answer, "Access-Control-Allow-Methods", "GET, POST, DELETE");
    add_header(answer, "Access-Control-Allow-Headers",
               "content-type, authorization, idempotency-key");
    add_header(answer, "Access-Control-Max-Age", "600");
}

static void add_headers(const struct http_exchange *exchange, struct MHD_Response *answer) {
    const struct http_response *response = &exchange->response;
    char seconds[16] = "";
    bool bodiless = response->status == 204 || response->status == 304;
    if (response->retry_after) snprintf(seconds, sizeof seconds, "%d", response->retry_after);
    if (!bodiless)
        add_header(answer, "Content-Type", response->type ? response->type : "application/json");
    if (response->etag[0])
        add_header(answer, "Cache-Control", "no-cache"); // compare it each time
    else
        add_header(answer, "Cache-Control", "no-store");
    add_header(answer, "X-Content-Type-Options", "nosniff");
    add_header(answer, "Content-Security-Policy",
               "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
               "form-action 'none'; frame-ancestors 'none'");
    add_header(answer, "Referrer-Policy", "no-referrer");
    add_header(answer, "Location", response->location);
    add_header(answer, "ETag", response->etag);
    add_header(answer, "Retry-After", seconds);
    add_header(answer, "Allow", response->allow);
    if (response->status == 401)
        add_header(answer, "WWW-Authenticate", "Basic realm=\"fumarole\", charset=\"UTF-8\"");
    if (exchange->http->params.cors) add_cors(exchange, answer);
}

// True if the client has ended the connection.
static bool is_gone(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;
    if (poll(&poll_fd, 1, 0) <= 0) return false;
    if (poll_fd.revents & (POLLERR | POLLHUP)) return true;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static ssize_t read_stream(void *cls, uint64_t at, char *buffer, size_t size) {
    struct http_exchange *exchange = cls;
    const struct http_response *response = &exchange->response;
    (void)at;
    while (!exchange->http->stopping && !is_gone(exchange->link->fd)) {
        long bytes = response->stream(response->user, buffer, size);
        if (bytes > 0) return bytes;
        if (bytes < 0) return MHD_CONTENT_READER_END_OF_STREAM;
    }
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static struct MHD_Response *create_answer(struct http_exchange *exchange) {
    enum { PIECE = 32768 };
    struct http_response *response = &exchange->response;
    if (response->stream)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_stream, exchange,
                                                 NULL);
    if (response->fixed || !response->body)
        return MHD_create_response_from_buffer(response->fixed ? response->bytes : 0,
                                               (void *)(uintptr_t)response->fixed,
                                               MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *answer =
        MHD_create_response_from_buffer(response->bytes, response->body, MHD_RESPMEM_MUST_FREE);
    if (answer) response->body = NULL;
    return answer;
}

enum MHD_Result http_send(struct http_exchange *exchange) {
    struct http_response *response = &exchange->response;
    if (!response->status) response->status = 200;
    struct MHD_Response *answer = create_answer(exchange);
    if (!answer) return MHD_NO;
    add_headers(exchange, answer);
    // Before it is sent, so that a client finds its request counted.
    metrics_add_request(exchange->http->params.server->metrics, response->status);
    MHD_set_connection_option(exchange->head.request.connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              (unsigned)HTTP_STALLED_SECONDS);
    enum MHD_Result queued = MHD_NO;
    if (http_links_enter(exchange->http->links, exchange->link, HTTP_SENDING))
        queued = MHD_queue_response(exchange->head.request.connection, (unsigned)response->status,
                                    answer);
    MHD_destroy_response(answer);
    return queued;
}
