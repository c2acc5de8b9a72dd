// SPDX-License-Identifier: MIT
// Reads the parts of a multipart/form-data body.
#define _GNU_SOURCE

#include "http.h"

#include <string.h>
#include <strings.h>

enum { MAX_BOUNDARY = 70, MAX_NAME = 256, MAX_PARTS = 1000 };

// A piece of the body.
struct span {
    const char *at;
    size_t bytes;
};

// Copies a value of a header, quoted or not, that ends at one of `ends`. Returns false if it does
// not fit, or holds a NUL byte.
static bool copy_value(struct span from, char *out, size_t size, const char *ends) {
    bool quoted = from.bytes && *from.at == '"';
    size_t used = 0;
    for (size_t i = quoted; i < from.bytes; i++) {
        char c = from.at[i];
        if (quoted ? c == '"' : c && strchr(ends, c)) break;
        if (quoted && c == '\\' && i + 1 < from.bytes) c = from.at[++i];
        if (!c || used + 1 == size) return false;
        out[used++] = c;
    }
    out[used] = 0;
    return true;
}

// Finds the parameter `name=` of a header's value, where a parameter begins after ";".
static bool find_parameter(struct span value, const char *name, char *out, size_t size) {
    const size_t length = strlen(name);
    bool quoted = false;
    for (size_t i = 0; i + length + 1 < value.bytes; i++) {
        if (quoted && value.at[i] == '\\')
            i++;
        else if (value.at[i] == '"')
            quoted = !quoted;
        if (quoted || value.at[i] != ';') continue;
        size_t at = i + 1;
        while (at < value.bytes && (value.at[at] == ' ' || value.at[at] == '\t')) at++;
        if (at + length + 1 > value.bytes || value.at[at + length] != '=') continue;
        if (strncasecmp(value.at + at, name, length) != 0) continue;
        at += length + 1;
        return copy_value((struct span){value.at + at, value.bytes - at}, out, size, "; \t\r\n");
    }
    return false;
}

// Finds a header among the lines of a part.
static bool find_header(struct span head, const char *name, struct span *value) {
    const size_t length = strlen(name);
    while (head.bytes) {
        const char *end = memmem(head.at, head.bytes, "\r\n", 2);
        size_t line = end ? (size_t)(end - head.at) : head.bytes;
        if (line > length && head.at[length] == ':' && strncasecmp(head.at, name, length) == 0) {
            *value = (struct span){head.at + length + 1, line - length - 1};
            return true;
        }
        line = end ? line + 2 : line;
        head.at += line;
        head.bytes -= line;
    }
    return false;
}

struct part_call {
    bool (*fn)(void *user, const struct http_part *part);
    void *user;
    bool stopped;
};

// Passes on one part: its headers, an empty line, its data.
static bool read_part(struct span part, struct part_call *call) {
    char name[MAX_NAME], filename[MAX_NAME], type[MAX_NAME];
    struct span value;
    const char *split = memmem(part.at, part.bytes, "\r\n\r\n", 4);
    if (!split) return false;
    struct span head = {part.at, (size_t)(split - part.at)};
    if (!find_header(head, "Content-Disposition", &value) ||
        !find_parameter(value, "name", name, sizeof name))
        return false;
    bool has_file = find_parameter(value, "filename", filename, sizeof filename);
    bool has_type = find_header(head, "Content-Type", &value);
    while (has_type && value.bytes && *value.at == ' ') value.at++, value.bytes--;
    has_type = has_type && copy_value(value, type, sizeof type, "; \t");
    const struct http_part found = {.name = name,
                                    .filename = has_file ? filename : NULL,
                                    .type = has_type ? type : NULL,
                                    .data = split + 4,
                                    .bytes = part.bytes - head.bytes - 4};
    call->stopped = !call->fn(call->user, &found);
    return true;
}

// Reads "--boundary CRLF part CRLF--boundary … CRLF--boundary--" after its first delimiter.
static bool read_parts(struct span body, const char *delimiter, struct part_call *call) {
    const size_t length = strlen(delimiter);
    for (int i = 0; i < MAX_PARTS; i++) {
        if (body.bytes >= 2 && memcmp(body.at, "--", 2) == 0) return true;
        const char *line = memmem(body.at, body.bytes, "\r\n", 2);
        if (!line) return false;
        body.bytes -= (size_t)(line + 2 - body.at);
        body.at = line + 2;
        const char *end = memmem(body.at, body.bytes, delimiter, length);
        if (!end || !read_part((struct span){body.at, (size_t)(end - body.at)}, call)) return false;
        if (call->stopped) return true;
        body.bytes -= (size_t)(end - body.at) + length;
        body.at = end + length;
    }
    return false;
}

bool http_each_part(const struct http_request *request,
                    bool (*fn)(void *user, const struct http_part *part), void *user) {
    static const char kind[] = "multipart/form-data";
    char delimiter[4 + MAX_BOUNDARY + 1] = "\r\n--";
    const char *type = http_header(request, "Content-Type");
    struct part_call call = {.fn = fn, .user = user};
    if (!type || strncasecmp(type, kind, sizeof kind - 1) != 0) return false;
    struct span value = {type, strlen(type)}, body = {request->body, request->bytes};
    if (!find_parameter(value, "boundary", delimiter + 4, MAX_BOUNDARY + 1) || !delimiter[4])
        return false;
    // The first delimiter may stand at the very start, without a line before it.
    const char *first = delimiter + 2;
    const size_t length = strlen(first);
    if (body.bytes < length || memcmp(body.at, first, length) != 0) {
        const char *found = body.bytes ? memmem(body.at, body.bytes, delimiter, length + 2) : NULL;
        if (!found) return false;
        body.bytes -= (size_t)(found + 2 - body.at);
        body.at = found + 2;
    }
    return read_parts((struct span){body.at + length, body.bytes - length}, delimiter, &call);
}
