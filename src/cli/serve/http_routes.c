// SPDX-License-Identifier: MIT
// Finds the route of a path in the table.
#include "http_inner.h"

#include <string.h>

// Compares a path with one of the table, and copies what stands for {id}.
static bool match_path(const char *pattern, const char *path, char id[HTTP_ID_BYTES]) {
    static const char place[] = "{id}";
    const char *at = strstr(pattern, place);
    if (!at) return strcmp(pattern, path) == 0;
    size_t before = (size_t)(at - pattern);
    if (strncmp(pattern, path, before) != 0) return false;
    const char *after = at + sizeof place - 1, *given = path + before;
    size_t rest = strlen(after), bytes = strlen(given);
    if (bytes <= rest || strcmp(given + bytes - rest, after) != 0) return false;
    bytes -= rest;
    if (bytes >= HTTP_ID_BYTES || memchr(given, '/', bytes)) return false;
    memcpy(id, given, bytes);
    id[bytes] = 0;
    return true;
}

static void allow_method(char allow[HTTP_ALLOW_BYTES], const char *method) {
    size_t used = strlen(allow), bytes = strlen(method);
    for (const char *at = allow; (at = strstr(at, method)); at += bytes)
        if (!at[bytes] || at[bytes] == ',') return;
    snprintf(allow + used, HTTP_ALLOW_BYTES - used, "%s%s", used ? ", " : "", method);
}

const struct http_route *http_find_route(const char *method, const char *path,
                                         char id[HTTP_ID_BYTES], char allow[HTTP_ALLOW_BYTES]) {
    allow[0] = 0;
    for (const struct http_route *route = http_routes; route->method; route++) {
        id[0] = 0;
        if (!match_path(route->path, path, id)) continue;
        if (strcmp(route->method, method) == 0) return route;
        allow_method(allow, route->method);
        if (strcmp(route->method, "GET") == 0) allow_method(allow, "HEAD");
    }
    id[0] = 0;
    return NULL;
}
