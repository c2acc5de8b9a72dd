// SPDX-License-Identifier: MIT
// Checks JSON by its grammar before cJSON reads it, which takes more than that.
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBER = 60 }; // characters: cJSON cuts longer ones

// A scan of a text. It stops at the first fault.
struct scan {
    const char *at, *end;
    int depth, values;
    const char *fault; // NULL: none yet
};

static bool fail(struct scan *s, const char *fault) {
    if (!s->fault) s->fault = fault;
    return false;
}

static unsigned char peek(const struct scan *s) {
    return s->at < s->end ? (unsigned char)*s->at : 0;
}

static bool take(struct scan *s, char c) {
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

static void skip_space(struct scan *s) {
    while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at) s->at++;
}

// ---- texts ----

// Takes a character of UTF-8 above ASCII: no overlong form, no surrogate, none past U+10FFFF.
static bool take_utf8(struct scan *s) {
    static const struct {
        unsigned char mask, lead;
        int more;
        unsigned least;
    } forms[] = {{0xe0, 0xc0, 1, 0x80}, {0xf0, 0xe0, 2, 0x800}, {0xf8, 0xf0, 3, 0x10000}};
    unsigned char first = peek(s);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if ((first & forms[i].mask) != forms[i].lead) continue;
        unsigned code = first & (unsigned char)~forms[i].mask;
        s->at++;
        for (int k = 0; k < forms[i].more; k++, s->at++) {
            if ((peek(s) & 0xc0) != 0x80) return fail(s, "invalid UTF-8");
            code = code << 6 | (peek(s) & 0x3f);
        }
        bool good = code >= forms[i].least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        return good || fail(s, "invalid UTF-8");
    }
    return fail(s, "invalid UTF-8");
}

// Takes four hexadecimal digits.
static bool take_hex(struct scan *s, unsigned *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        unsigned char c = peek(s), lower = c | 0x20;
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (unsigned)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *code = *code << 4 | (unsigned)(lower - 'a' + 10);
        else
            return fail(s, "a \\u without four hexadecimal digits");
    }
    return true;
}

// Takes what follows "\u": a character, or the first half of a pair with the second.
static bool take_escaped_code(struct scan *s) {
    unsigned code, second;
    if (!take_hex(s, &code)) return false;
    if (!code) return fail(s, "\\u0000 in a text");
    if (code < 0xd800 || code > 0xdfff) return true;
    if (code > 0xdbff || !take(s, '\\') || !take(s, 'u') || !take_hex(s, &second) ||
        second < 0xdc00 || second > 0xdfff)
        return fail(s, "a lone surrogate");
    return true;
}

static bool take_escape(struct scan *s) {
    if (take(s, 'u')) return take_escaped_code(s);
    if (!peek(s) || !strchr("\"\\/bfnrt", peek(s))) return fail(s, "an unknown escape in a text");
    s->at++;
    return true;
}

static bool take_text(struct scan *s) {
    if (!take(s, '"')) return fail(s, "a text is expected");
    while (s->at < s->end) {
        unsigned char c = peek(s);
        if (take(s, '"')) return true;
        if (c < 0x20) return fail(s, "a control character in a text");
        if (take(s, '\\')) {
            if (!take_escape(s)) return false;
        } else if (c < 0x80) {
            s->at++;
        } else if (!take_utf8(s)) {
            return false;
        }
    }
    return fail(s, "a text without an end");
}

// ---- other values ----

static bool take_digits(struct scan *s) {
    const char *first = s->at;
    while (peek(s) >= '0' && peek(s) <= '9') s->at++;
    return s->at > first || fail(s, "not a value of JSON");
}

static bool take_number(struct scan *s) {
    const char *first = s->at;
    char copy[MAX_NUMBER + 1];
    take(s, '-');
    if (!take(s, '0') && !take_digits(s)) return false;
    if (take(s, '.') && !take_digits(s)) return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) take(s, '-');
        if (!take_digits(s)) return false;
    }
    size_t length = (size_t)(s->at - first);
    if (length > MAX_NUMBER) return fail(s, "a number of too many digits");
    memcpy(copy, first, length);
    copy[length] = 0;
    return isfinite(strtod(copy, NULL)) || fail(s, "a number that is too large");
}

static bool take_word(struct scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(s->end - s->at) < length || memcmp(s->at, words[i], length) != 0) continue;
        s->at += length;
        return true;
    }
    return fail(s, "not a value of JSON");
}

static bool take_value(struct scan *s);

// Takes the members of an array or object up to its end.
static bool take_members(struct scan *s, char end, bool named) {
    if (++s->depth > JOB_JSON_DEPTH) return fail(s, "more than 64 levels");
    skip_space(s);
    bool more = !take(s, end);
    while (more) {
        skip_space(s);
        if (named && !take_text(s)) return false;
        if (named) skip_space(s);
        if (named && !take(s, ':')) return fail(s, "a colon is expected");
        if (!take_value(s)) return false;
        skip_space(s);
        more = take(s, ',');
        if (!more && !take(s, end)) return fail(s, "a comma or the end is expected");
    }
    s->depth--;
    return true;
}

static bool take_value(struct scan *s) {
    skip_space(s);
    if (++s->values > JOB_JSON_VALUES) return fail(s, "more than 100000 values");
    unsigned char c = peek(s);
    if (c == '"') return take_text(s);
    if (take(s, '[')) return take_members(s, ']', false);
    if (take(s, '{')) return take_members(s, '}', true);
    return c == '-' || (c >= '0' && c <= '9') ? take_number(s) : take_word(s);
}

static bool scan_text(struct scan *s) {
    if (!take_value(s)) return false;
    skip_space(s);
    return s->at == s->end || fail(s, "more than one value");
}

// ---- keys ----

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Returns a key that an object within the value has twice; NULL: there is none. `keys` has room for
// the keys of one object.
static const char *find_double_key(const cJSON *value, const char **keys) {
    size_t count = 0;
    const char *found = NULL;
    if (cJSON_IsObject(value)) {
        for (const cJSON *member = value->child; member; member = member->next)
            keys[count++] = member->string;
        if (count > 1) qsort(keys, count, sizeof *keys, by_text);
    }
    for (size_t i = 1; i < count && !found; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0) found = keys[i];
    for (const cJSON *member = value->child; member && !found; member = member->next)
        found = find_double_key(member, keys);
    return found;
}

static enum cli_json refuse(struct job_json_error *error, const char *text, size_t at) {
    snprintf(error->text, sizeof error->text, "%s at byte %zu", text, at);
    return CLI_JSON_BAD;
}

enum cli_json job_json_read(cJSON **json, const char *text, size_t bytes,
                            struct job_json_error *error) {
    struct scan s = {.at = text, .end = text + bytes};
    size_t end;
    *json = NULL;
    *error = (struct job_json_error){0};
    if (!scan_text(&s)) return refuse(error, s.fault, (size_t)(s.at - text));
    enum cli_json parsed = cli_json_parse(json, text, bytes, &end);
    if (parsed == CLI_JSON_BAD) return refuse(error, "not a value of JSON", end);
    if (parsed == CLI_JSON_NO_MEMORY) return parsed;
    const char **keys = malloc((size_t)s.values * sizeof *keys);
    const char *twice = keys ? find_double_key(*json, keys) : NULL;
    if (keys && !twice) {
        free(keys);
        return CLI_JSON_GOOD;
    }
    if (twice)
        snprintf(error->text, sizeof error->text, "\"%s\" is there twice", cli_show(twice).text);
    parsed = keys ? CLI_JSON_BAD : CLI_JSON_NO_MEMORY;
    free(keys);
    cJSON_Delete(*json);
    *json = NULL;
    return parsed;
}
