#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    }
    return "unknown result";
}

enum fum_result fum_error_set(struct fum_error *err, enum fum_result code, const char *fmt, ...) {
    if (!err) return code;
    err->code = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

enum fum_result fum_error_prefix(struct fum_error *err, const char *fmt, ...) {
    if (!err) return FUM_ERR_ARG;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n + 2 < sizeof err->text) {
        memcpy(err->text + n, ": ", 2);
        memcpy(err->text + n + 2, old, sizeof old - (size_t)n - 2); // what no longer fits is cut off
        err->text[sizeof err->text - 1] = 0;
    }
    return err->code;
}
