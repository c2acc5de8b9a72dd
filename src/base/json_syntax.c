// SPDX-License-Identifier: MIT
// Checks the syntax of JSON as cJSON does, without an allocation. cJSON's own hooks could
// distinguish refused memory from bad syntax. But they are one set for the whole process, which
// belongs to the program that uses the library.
#include "base/json_syntax.h"

#include <string.h>

enum { MAX_DEPTH = 1000 }; // cJSON's CJSON_NESTING_LIMIT

struct scanner {
    const char *at, *end;
    int depth;
};

static bool scan_value(struct scanner *s);

static void skip_blanks(struct scanner *s) {
    while (s->at < s->end && (unsigned char)*s->at <= ' ') s->at++;
}

static bool take(struct scanner *s, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0) return false;
    s->at += length;
    return true;
}

// Reads four hexadecimal digits, or returns -1.
static long take_hex(struct scanner *s) {
    long value = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = s->at < s->end && *s->at ? strchr(digits, *s->at) : NULL;
        if (!digit) return -1;
        long index = (long)(digit - digits);
        value = value * 16 + (index < 16 ? index : index - 6);
    }
    return value;
}

// Reads the part after a backslash. A high surrogate requires a low one after it.
static bool scan_escape(struct scanner *s) {
    if (s->at == s->end) return false;
    char kind = *s->at++;
    if (kind != 'u') return kind && strchr("bfnrt\"\\/", kind);
    long code = take_hex(s);
    if (code < 0 || (code >= 0xdc00 && code <= 0xdfff)) return false;
    if (code < 0xd800 || code > 0xdbff) return true;
    long low = take(s, "\\u") ? take_hex(s) : -1;
    return low >= 0xdc00 && low <= 0xdfff;
}

static bool scan_string(struct scanner *s) {
    if (!take(s, "\"")) return false;
    while (s->at < s->end && *s->at != '"') {
        bool escaped = *s->at++ == '\\';
        if (escaped && !scan_escape(s)) return false;
    }
    return take(s, "\"");
}

static size_t skip_digits(struct scanner *s) {
    const char *start = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') s->at++;
    return (size_t)(s->at - start);
}

// Reads a number that starts with digits as strtod does. An "e" without digits is not part of it.
static bool scan_number(struct scanner *s) {
    take(s, "-");
    if (!skip_digits(s)) return false;
    if (take(s, ".")) skip_digits(s);
    const char *mantissa_end = s->at;
    if (take(s, "e") || take(s, "E")) {
        if (!take(s, "+")) take(s, "-");
        if (!skip_digits(s)) s->at = mantissa_end;
    }
    return true;
}

static bool scan_member(struct scanner *s) {
    if (!scan_string(s)) return false;
    skip_blanks(s);
    if (!take(s, ":")) return false;
    skip_blanks(s);
    return scan_value(s);
}

static bool scan_list(struct scanner *s, const char *end, bool (*scan_item)(struct scanner *)) {
    if (++s->depth > MAX_DEPTH) return false;
    skip_blanks(s);
    if (!take(s, end)) {
        do {
            skip_blanks(s);
            if (!scan_item(s)) return false;
            skip_blanks(s);
        } while (take(s, ","));
        if (!take(s, end)) return false;
    }
    s->depth--;
    return true;
}

static bool scan_value(struct scanner *s) {
    if (take(s, "null") || take(s, "true") || take(s, "false")) return true;
    if (take(s, "[")) return scan_list(s, "]", scan_value);
    if (take(s, "{")) return scan_list(s, "}", scan_member);
    return s->at < s->end && *s->at == '"' ? scan_string(s) : scan_number(s);
}

bool fum_json_well_formed(const char *text, size_t bytes) {
    struct scanner s = {.at = text, .end = text + bytes};
    take(&s, "\xef\xbb\xbf");
    skip_blanks(&s);
    return scan_value(&s);
}
