// SPDX-License-Identifier: MIT
#include "train/settings.h"

#include <ini.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"

enum { MAX_FILE = 1 << 20, MAX_KEY = 104 };

// ---- the list ----

static struct fum_setting *find_setting(const struct fum_settings *s, const char *section,
                                        const char *key) {
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->items[i].section, section) && !strcmp(s->items[i].key, key))
            return &s->items[i];
    return NULL;
}

// Finds a setting by "section.key".
static struct fum_setting *find_key(const struct fum_settings *s, const char *key) {
    for (size_t i = 0; i < s->count; i++) {
        size_t length = strlen(s->items[i].section);
        if (!strncmp(s->items[i].section, key, length) && key[length] == '.' &&
            !strcmp(s->items[i].key, key + length + 1))
            return &s->items[i];
    }
    return NULL;
}

static bool keep_failure(struct fum_settings *s, enum fum_result code) {
    s->result = code;
    return false;
}

static bool has_section(const struct fum_settings *s, const char *section) {
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->items[i].section, section)) return true;
    return false;
}

// Stores up to `capacity` of the recipe's keys, "section.key", that are spelled nearly as this one.
static int list_near(const struct fum_settings *s, const char *key, char near[][MAX_KEY],
                     int capacity) {
    int count = 0;
    for (size_t i = 0; i < s->count && count < capacity; i++) {
        snprintf(near[count], MAX_KEY, "%s.%s", s->items[i].section, s->items[i].key);
        const char *last = strrchr(key, '.');
        bool same_key = last && !strcmp(last + 1, s->items[i].key);
        if (same_key || fum_text_misspelling(key, near[count]) < INT_MAX) count++;
    }
    return count;
}

static bool fail_unknown(struct fum_settings *s, const char *section, const char *key) {
    char name[MAX_KEY], near[3][MAX_KEY], hint[3 * MAX_KEY + 64];
    snprintf(name, sizeof name, "%s.%s", section, key);
    int count = list_near(s, name, near, 3);
    int at = snprintf(hint, sizeof hint, "%s", count ? "did you mean " : "");
    for (int i = 0; i < count; i++)
        at += snprintf(hint + at, sizeof hint - (size_t)at, "%s%s", i ? ", " : "", near[i]);
    if (!count)
        snprintf(hint, sizeof hint, "%s",
                 has_section(s, section) ? "the recipe's --help lists its keys"
                                         : "the recipe has no such section; its --help lists all");
    fum_error_set(&s->err, FUM_ERR_ARG, "%s: unknown setting %s: %s", s->where, name, hint);
    return keep_failure(s, FUM_ERR_ARG);
}

static bool add_setting(struct fum_settings *s, const char *section, const char *key,
                        const char *value) {
    struct fum_setting setting = {fum_arena_strdup(s->arena, section),
                                  fum_arena_strdup(s->arena, key),
                                  fum_arena_strdup(s->arena, value)};
    if (!setting.section || !setting.key || !setting.value ||
        !fum_grow((void **)&s->items, &s->capacity, s->count, sizeof *s->items)) {
        fum_error_set(&s->err, FUM_ERR_NOMEM, "no memory for the settings");
        return keep_failure(s, FUM_ERR_NOMEM);
    }
    s->items[s->count++] = setting;
    return true;
}

static bool put_setting(struct fum_settings *s, const char *section, const char *key,
                        const char *value) {
    struct fum_setting *known = find_setting(s, section, key);
    if (!known)
        return s->extend ? add_setting(s, section, key, value) : fail_unknown(s, section, key);
    if ((known->value = fum_arena_strdup(s->arena, value))) return true;
    fum_error_set(&s->err, FUM_ERR_NOMEM, "no memory for the settings");
    return keep_failure(s, FUM_ERR_NOMEM);
}

// ---- reading ----

static int on_pair(void *user, const char *section, const char *key, const char *value) {
    struct fum_settings *s = user;
    if (s->result) return 1; // inih goes on reading; the first failure counts
    put_setting(s, section, key, value ? value : "");
    return 1;
}

// Refuses lines that inih would cut in two.
static bool check_lines(struct fum_settings *s, const char *text) {
    int line = 1;
    for (const char *at = text; *at; line++) {
        size_t length = strcspn(at, "\n");
        if (length >= INI_MAX_LINE - 2) {
            fum_error_set(&s->err, FUM_ERR_FORMAT, "%s, line %d: longer than %d bytes", s->where,
                          line, INI_MAX_LINE - 3);
            return keep_failure(s, FUM_ERR_FORMAT);
        }
        at += length + (at[length] == '\n');
    }
    return true;
}

enum fum_result fum_settings_merge(struct fum_settings *s, const char *where, const char *text,
                                   struct fum_error *err) {
    s->where = where;
    if (!s->result && check_lines(s, text)) {
        int line = ini_parse_string(text, on_pair, s);
        if (line && !s->result) {
            fum_error_set(&s->err, FUM_ERR_FORMAT,
                          "%s, line %d: neither [section] nor key = value nor a comment", where,
                          line);
            keep_failure(s, FUM_ERR_FORMAT);
        }
    }
    return fum_settings_check(s, err);
}

enum fum_result fum_settings_merge_file(struct fum_settings *s, const char *path,
                                        struct fum_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    enum fum_result result = fum_file_read(path, MAX_FILE, &text, &bytes, err);
    if (result) return result;
    if (strlen(text) != bytes)
        result =
            fum_error_set(err, FUM_ERR_FORMAT, "%s: holds a NUL byte; it is no INI file", path);
    if (!result) result = fum_settings_merge(s, path, text, err);
    fum_free(text);
    return result;
}

enum fum_result fum_settings_create(struct fum_settings *s, fum_arena *arena, const char *name,
                                    const char *defaults, struct fum_error *err) {
    *s = (struct fum_settings){.arena = arena, .extend = true};
    enum fum_result result = fum_settings_merge(s, name, defaults, err);
    s->extend = false;
    return result;
}

void fum_settings_free(struct fum_settings *s) {
    fum_free(s->items);
    *s = (struct fum_settings){0};
}

enum fum_result fum_settings_assign(struct fum_settings *s, const char *assignment,
                                    struct fum_error *err) {
    const char *dot = strchr(assignment, '.'), *equals = strchr(assignment, '=');
    if (!dot || !equals || dot > equals || dot == assignment || equals == dot + 1)
        return fum_error_set(err, FUM_ERR_ARG, "%s: a setting is written SECTION.KEY=VALUE",
                             fum_text_show(assignment).text);
    char *section = fum_arena_strdup(s->arena, assignment);
    if (!section) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the settings");
    section[dot - assignment] = 0;
    section[equals - assignment] = 0;
    s->where = "--set";
    put_setting(s, section, section + (dot - assignment) + 1, section + (equals - assignment) + 1);
    return fum_settings_check(s, err);
}

// ---- getters ----

enum fum_result fum_settings_check(const struct fum_settings *s, struct fum_error *err) {
    if (s->result && err) *err = s->err;
    return s->result;
}

void fum_settings_fail(struct fum_settings *s, const char *key, const char *fmt, ...) {
    char why[300];
    va_list args;
    if (s->result) return;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    s->result = fum_error_set(&s->err, FUM_ERR_ARG, "setting %s %s", key, why);
}

bool fum_settings_has(const struct fum_settings *s, const char *key) {
    return find_key(s, key) != NULL;
}

const char *fum_settings_string(struct fum_settings *s, const char *key) {
    const struct fum_setting *item = find_key(s, key);
    if (!item) fum_settings_fail(s, key, "is missing in the recipe");
    return item ? item->value : "";
}

bool fum_settings_bool(struct fum_settings *s, const char *key) {
    const char *value = fum_settings_string(s, key);
    bool yes = !strcmp(value, "true");
    if (!yes && strcmp(value, "false"))
        fum_settings_fail(s, key, "is \"%s\"; it must be true or false", fum_text_show(value).text);
    return yes;
}

double fum_settings_real(struct fum_settings *s, const char *key, double min, double max) {
    const char *value = fum_settings_string(s, key);
    double number = min;
    if (!s->result && (!fum_number_parse(value, &number) || !(number >= min && number <= max)))
        fum_settings_fail(s, key, "is \"%s\"; it must be a number of %g to %g",
                          fum_text_show(value).text, min, max);
    return s->result ? min : number;
}

int64_t fum_settings_int(struct fum_settings *s, const char *key, int64_t min, int64_t max) {
    const char *value = fum_settings_string(s, key);
    char *end = NULL;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (!s->result && (errno || end == value || *end || number < min || number > max))
        fum_settings_fail(s, key, "is \"%s\"; it must be a whole number of %lld to %lld",
                          fum_text_show(value).text, (long long)min, (long long)max);
    return s->result ? min : number;
}

int fum_settings_choice(struct fum_settings *s, const char *key,
                        const char *(*name)(size_t index)) {
    const char *value = fum_settings_string(s, key);
    char list[200] = "";
    size_t at = 0;
    for (size_t i = 0; name(i); i++) {
        if (!strcmp(value, name(i))) return (int)i;
        int n = snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", name(i));
        if (n > 0 && at + (size_t)n < sizeof list) at += (size_t)n;
    }
    fum_settings_fail(s, key, "is \"%s\"; it must be one of %s", fum_text_show(value).text, list);
    return 0;
}

int fum_settings_ints(struct fum_settings *s, const char *key, int *values, int capacity) {
    enum { MAX_VALUE = 1 << 16 };
    const char *value = fum_settings_string(s, key), *at = value;
    int count = 0;
    while (*at && !s->result) {
        char *end = NULL;
        long number = strtol(at, &end, 10);
        bool good = end != at && number >= 1 && number <= MAX_VALUE;
        good = good && (!*end || (*end == ',' && end[1]));
        if (!good || count == capacity)
            fum_settings_fail(s, key,
                              "is \"%s\"; it must list up to %d numbers of 1 to %d, as 32,64",
                              fum_text_show(value).text, capacity, MAX_VALUE);
        else
            values[count++] = (int)number;
        at = *end == ',' ? end + 1 : end;
    }
    if (!count) fum_settings_fail(s, key, "is empty; it must list numbers, as 32,64");
    return count;
}
