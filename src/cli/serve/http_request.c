// SPDX-License-Identifier: MIT
// Reads what a request holds beside its body.
#include "http_inner.h"

#include <string.h>

const char *http_header(const struct http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_request *request, const char *name) {
    const char *value = NULL;
    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
                                      strlen(name), &value, NULL) != MHD_YES)
        return NULL;
    return value ? value : "";
}

struct query_call {
    bool (*fn)(void *user, const char *name, const char *value);
    void *user;
};

static enum MHD_Result pass_argument(void *cls, enum MHD_ValueKind kind, const char *key,
                                     const char *value) {
    const struct query_call *call = cls;
    (void)kind;
    return call->fn(call->user, key, value ? value : "") ? MHD_YES : MHD_NO;
}

void http_each_query(const struct http_request *request,
                     bool (*fn)(void *user, const char *name, const char *value), void *user) {
    struct query_call call = {.fn = fn, .user = user};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, pass_argument, &call);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t http_unescape(char *text) {
    char *out = text;
    for (const char *in = text; *in; in++) {
        int high = *in == '%' ? hex_digit(in[1]) : -1;
        int low = high >= 0 ? hex_digit(in[2]) : -1;
        if (low < 0 || high + low == 0) {
            *out++ = *in;
            continue;
        }
        *out++ = (char)(high << 4 | low);
        in += 2;
    }
    *out = 0;
    return (size_t)(out - text);
}
