// SPDX-License-Identifier: MIT
// The HTTP layer: connections, limits, keys, and the table of routes. A thread serves each
// connection, so handlers may wait.
#ifndef FUM_CLI_SERVE_HTTP_H
#define FUM_CLI_SERVE_HTTP_H

#include "../job/spec.h"

#include <cjson/cJSON.h>

struct server; // server.h

// A request whose headers, key and body were checked.
struct http_request {
    struct server *server;
    const struct http_route *route;
    const char *method; // "GET", "POST", …; HEAD comes as GET
    const char *path;
    const char *id;   // what stands for {id} in the route's path; NULL: the path has none
    const char *body; // the whole; NUL-terminated, but may hold NUL bytes
    size_t bytes;
    cJSON *json;      // an object that was read strictly, for routes that take JSON; NULL: none
    const char *host; // as the client gave it, for absolute addresses
    void *connection; // of libmicrohttpd
};
// Returns a header or a query argument of the request; NULL: it is not given.
const char *http_header(const struct http_request *request, const char *name);
const char *http_query(const struct http_request *request, const char *name);
// Calls `fn` for every query argument until it returns false.
void http_each_query(const struct http_request *request,
                     bool (*fn)(void *user, const char *name, const char *value), void *user);
// The parts of a multipart body. Returns false if it is none.
struct http_part {
    const char *name, *filename, *type;
    const void *data;
    size_t bytes;
};
bool http_each_part(const struct http_request *request,
                    bool (*fn)(void *user, const struct http_part *part), void *user);

// What a handler answers. Zero to begin with: 200 without a body. Functions below fill it in.
struct http_response {
    int status;
    const char *type;  // NULL: application/json
    char *body;        // freed with free() after it was sent
    const void *fixed; // a body that stays, in place of `body`
    size_t bytes;
    char location[128], etag[80]; // "": none
    int retry_after;              // seconds; 0: none
    const char *allow;            // of a 405
    // A body of unknown length, as server-sent events. It waits for what comes next and writes up
    // to `size` bytes. 0: nothing within a second; -1: the end.
    long (*stream)(void *user, char *buffer, size_t size);
    void (*stream_end)(void *user); // called once, however the stream ends
    void *user;
};
// Answers with a JSON value, which is freed. A NULL value, or refused memory, becomes a 500.
void http_answer_json(struct http_response *response, int status, cJSON *value);

// How errors of a group of routes look.
enum http_dialect { HTTP_OWN, HTTP_A1111, HTTP_OPENAI };
struct http_error {
    int status;        // of our own dialect: OpenAI's routes answer 400 for 422
    const char *type;  // NULL: the usual one of the status
    const char *param; // NULL: none
    const char *code;  // NULL: none
};
// Answers with an error in the dialect of the route. The text becomes one escaped line.
void http_answer_error(const struct http_request *request, struct http_response *response,
                       const struct http_error *error, const char *fmt, ...) FUM_PRINTF(4, 5);
// Answers for fields of a job that were refused.
void http_answer_refusal(const struct http_request *request, struct http_response *response,
                         const struct job_error *error);

enum http_body { HTTP_NO_BODY, HTTP_JSON, HTTP_JSON_OPTIONAL, HTTP_MULTIPART };

// A record of routes.def.
struct http_route {
    const char *method, *path; // "{id}" stands for a part of the path
    enum http_dialect dialect;
    enum http_body body;
    void (*handle)(const struct http_request *request, struct http_response *response);
    const char *summary; // for /openapi.json
};
extern const struct http_route http_routes[]; // ends with a NULL method

#endif
