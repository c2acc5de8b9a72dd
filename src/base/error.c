// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "base/require.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FULL_BYTES = 5000 }; // the longest path and the message about it

int fum_api_version(void) {
    return FUM_API_VERSION;
}

const char *fum_version(void) {
    return FUM_VERSION;
}

const char *fum_result_name(enum fum_result result) {
    switch (result) {
    case FUM_OK: return "ok";
    case FUM_ERR_ARG: return "bad argument";
    case FUM_ERR_NOMEM: return "out of memory";
    case FUM_ERR_IO: return "input or output error";
    case FUM_ERR_FORMAT: return "malformed data";
    case FUM_ERR_UNSUPPORTED: return "unsupported";
    case FUM_ERR_DEVICE: return "device error";
    case FUM_ERR_CANCELLED: return "cancelled";
    case FUM_ERR_NO_SPACE: return "no space on the disk";
    }
    return "unknown result";
}

enum fum_result fum_error_set(struct fum_error *err, enum fum_result code, const char *fmt, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, fmt);
    fum_text_format(err->text, sizeof err->text, fmt, args);
    va_end(args);
    err->code = code;
    return code;
}

// Adds text before or after that of the error.
static void add_text(struct fum_error *err, bool before, const char *fmt, va_list args) {
    char old[sizeof err->text], text[FULL_BYTES];
    memcpy(old, err->text, sizeof old);
    fum_text_format(text, sizeof text, fmt, args);
    if (before)
        fum_error_set(err, err->code, "%s: %s", text, old);
    else
        fum_error_set(err, err->code, "%s%s", old, text);
}

void fum_error_prefix(struct fum_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (err) add_text(err, true, fmt, args);
    va_end(args);
}

void fum_error_append(struct fum_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (err) add_text(err, false, fmt, args);
    va_end(args);
}

enum fum_result fum_error_unknown(struct fum_error *err, const char *what, const char *word,
                                  const char *(*name)(size_t index)) {
    char list[320] = "";
    for (size_t i = 0; name(i); i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", name(i));
    }
    return fum_error_set(err, FUM_ERR_ARG, "unknown %s \"%s\"; available: %s", what,
                         fum_text_show(word).text, list);
}

enum fum_result fum_require(const void *given, const char *what, struct fum_error *err) {
    return given ? FUM_OK : fum_error_set(err, FUM_ERR_ARG, "%s is required", what);
}
