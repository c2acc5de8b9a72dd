// SPDX-License-Identifier: MIT
// What the files of the HTTP layer share.
#ifndef FUM_CLI_SERVE_HTTP_INNER_H
#define FUM_CLI_SERVE_HTTP_INNER_H

#include "http.h"
#include "http_server.h"

#include <microhttpd.h>

#include <stdatomic.h>

enum {
    HTTP_MAX_BODY = 64 << 20,      // bytes of a request's body
    HTTP_MAX_HELD = 1 << 30,       // bytes of all bodies at a time
    HTTP_MAX_LINKS = 512,          // connections at a time
    HTTP_SPARE_LINKS = 512,        // that are being ended, or get a 503
    HTTP_HEADER_SECONDS = 10,      // from the first byte of a request to the end of its headers
    HTTP_BODY_SECONDS = 60,        // from there to the end of its body
    HTTP_SILENT_SECONDS = 50,      // without a byte, before or between requests
    HTTP_STALLED_SECONDS = 55,     // without progress of an answer
    HTTP_UNWATCHED_SECONDS = 70,   // libmicrohttpd's limit where those above end it before
    HTTP_LINK_BYTES = 64 << 10,    // of a connection, for the headers of both directions
    HTTP_PEER_BYTES = 64,          // of a client's address
    HTTP_GRACE_MILLISECONDS = 400, // for answers under way when the server ends
};

// ---- connections, http_links.c ----

// What a connection waits for.
enum http_phase {
    HTTP_SILENT,  // the first byte of a request
    HTTP_HEADERS, // the end of the headers
    HTTP_BODY,    // the end of the body
    HTTP_BUSY,    // nothing: a handler runs
    HTTP_SENDING, // that the client takes the answer
};

// A connection.
struct http_link {
    struct http_link *next, *previous;
    int fd;
    enum http_phase phase;
    double since;   // when the phase began
    uint64_t bytes; // that had come when it began to be silent
    bool ended;     // it was shut down
    bool surplus;   // it exceeds the limit, and all others are busy
    bool heard;     // a first line came
    bool spoiled;   // libmicrohttpd found its request damaged
};

// All connections, watched by a thread that ends those that exceed a deadline.
struct http_links;

// Returns NULL when memory or threads are out. `on_timeout` is called with each 408 that is sent.
struct http_links *http_links_create(void (*on_timeout)(void *user), void *user);
void http_links_destroy(struct http_links **links);
struct http_link *http_links_add(struct http_links *links, int fd); // NULL: memory is out
void http_links_remove(struct http_links *links, struct http_link *link);
// Begins a phase. Returns false if the connection was ended before.
bool http_links_enter(struct http_links *links, struct http_link *link, enum http_phase phase);
// Begins the phase of headers of a connection whose first line has come.
void http_links_hear(struct http_links *links, struct http_link *link);
// Returns the only connection that has sent something, but no whole line yet; NULL: there are none
// or several.
struct http_link *http_links_find_first(struct http_links *links);
// Answers a damaged request at once, unless it has an answer already, and closes the connection for
// writing. Returns true if it did.
bool http_links_spoil(struct http_links *links, struct http_link *link, int status);
// Waits until no connection is busy or sends, at most so long.
void http_links_drain(struct http_links *links, int milliseconds);

// ---- routes, http_routes.c ----

// Finds the route of a path. NULL: there is none with that method; *allow then lists the methods of
// the path, and is empty if there is no such path.
enum { HTTP_ID_BYTES = 65, HTTP_ALLOW_BYTES = 64 };
const struct http_route *http_find_route(const char *method, const char *path,
                                         char id[HTTP_ID_BYTES], char allow[HTTP_ALLOW_BYTES]);

// ---- requests, http_check.c ----

// What is known of a request before its body is read.
struct http_head {
    struct http_request request;
    char id[HTTP_ID_BYTES], allow[HTTP_ALLOW_BYTES];
    bool old; // HTTP/1.0
    bool has_body;
    uint64_t length; // of the body; 0 if it comes in chunks
    bool cors;       // the origin is that of --cors
    bool preflight;  // answered without a handler
};

// Checks framing, Host, key, origin and the kind of body, and finds the route. Returns false with
// the answer in *response. `head` must stay until that was sent.
bool http_check(const struct http_params *params, struct http_head *head,
                struct http_response *response);

struct http {
    struct http_params params;
    struct MHD_Daemon *daemon;
    struct http_links *links;
    atomic_bool stopping;
    atomic_size_t held; // bytes of all bodies
};

// A request and its answer.
struct http_exchange {
    struct http *http;
    struct http_link *link;
    struct http_head head;
    struct http_response response;
    char *body;
    size_t bytes, capacity;
    bool answered; // by its headers alone
    int failure;   // status of an error while the body arrived; 0: none
    bool unread;   // it was answered before its body was read
    double began;
    const char *method; // as given
    char peer[HTTP_PEER_BYTES];
};

// ---- answers, http_send.c ----

// Queues the answer of an exchange, whose body it takes.
enum MHD_Result http_send(struct http_exchange *exchange);

// ---- sockets, http_listen.c ----

// Decodes %XX in place. %00 stays, since it would end the text. Returns the length.
size_t http_unescape(char *text);
// Returns a socket that listens, and stores its port. Prints the error and returns -1 on failure.
int http_listen(const char *ip, int *port);

// ---- keys, http_keys.c ----

// True if an Authorization header holds one of the keys.
bool http_keys_accept(const struct http_keys *keys, const char *authorization);

#endif
