// SPDX-License-Identifier: MIT
// The running HTTP layer, for the command.
#ifndef FUM_CLI_SERVE_HTTP_SERVER_H
#define FUM_CLI_SERVE_HTTP_SERVER_H

#include <stdbool.h>

struct server;

// Keys that open the server.
struct http_keys;
// Reads a file of one key a line. Returns 0, or prints the error and returns an exit status.
int http_keys_read(struct http_keys **keys, const char *path);
void http_keys_free(struct http_keys **keys);

struct http_params {
    struct server *server;
    const char *ip;               // an address in numbers
    int port;                     // 0: a free one
    bool loopback;                // only Hosts of this machine are served; see http_is_loopback
    const struct http_keys *keys; // NULL: none are needed
    const char *cors;             // an origin of other pages that may call; NULL: none
};

// True if an address is of this machine alone. Returns false with *known false for a text that is
// no address.
bool http_is_loopback(const char *ip, bool *known);

struct http;
// Begins to answer. Returns 0, or prints the error and returns an exit status.
int http_open(struct http **http, const struct http_params *params);
int http_port(const struct http *http);
// Serves a connection that was made elsewhere, and closes it. Returns false if it cannot.
bool http_adopt(struct http *http, int fd);
// Ends all connections. Handlers that wait must have been woken.
void http_close(struct http **http);

#endif
