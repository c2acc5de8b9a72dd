#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    }
    return "unknown result";
}

// Room for two paths of the longest kind and what is said about them.
enum { FULL_BYTES = 10000, SHORT_WORD = 60 };

// Makes text[at, at + length) shorter by at least `bytes`: "..." takes the place of its middle.
static void cut_middle(char *text, size_t at, size_t length, size_t bytes) {
    size_t first = at + (length - bytes - 3) / 2, last = first + bytes + 3;
    while (first > at && ((unsigned char)text[first] & 0xc0) == 0x80) first--; // whole UTF-8 characters
    while (((unsigned char)text[last] & 0xc0) == 0x80) last++;
    memcpy(text + first, "...", 3);
    memmove(text + first + 3, text + last, strlen(text + last) + 1);
}

// Makes a text fit: its longest words, which are paths, lose their middle, so that the reason stays.
static void shorten(char *text, size_t room) {
    size_t length;
    while ((length = strlen(text)) >= room) {
        size_t longest = 0, at = 0, n;
        for (size_t i = 0; text[i]; i += n + (text[i + n] == ' ')) {
            n = strcspn(text + i, " ");
            if (n <= longest) continue;
            longest = n;
            at = i;
        }
        if (longest <= SHORT_WORD) {
            longest = length;
            at = 0;
        }
        size_t excess = length + 1 - room, most = longest - SHORT_WORD / 2 - 3;
        cut_middle(text, at, longest, excess < most ? excess : most);
    }
}

static void set_text(struct fum_error *err, const char *old, const char *fmt, va_list args) {
    char full[FULL_BYTES];
    int n = vsnprintf(full, sizeof full, fmt, args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof full ? (size_t)n : sizeof full - 1;
    if (old) snprintf(full + used, sizeof full - used, ": %s", old);
    shorten(full, sizeof err->text);
    memcpy(err->text, full, strlen(full) + 1);
}

enum fum_result fum_error_set(struct fum_error *err, enum fum_result code, const char *fmt, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, fmt);
    set_text(err, NULL, fmt, args);
    va_end(args);
    err->code = code;
    return code;
}

enum fum_result fum_error_prefix(struct fum_error *err, const char *fmt, ...) {
    if (!err) return FUM_ERR_ARG;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    set_text(err, old, fmt, args);
    va_end(args);
    return err->code;
}
