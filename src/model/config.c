// SPDX-License-Identifier: MIT
#include "model/config.h"

#include "base/error.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const cJSON *member(const struct fum_config *c, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->json, key);
    return cJSON_IsNull(item) ? NULL : item;
}

bool fum_config_has(const struct fum_config *c, const char *key) {
    return member(c, key) != NULL;
}

void fum_config_fail(struct fum_config *c, const char *key, const char *fmt, ...) {
    if (c->result) return;
    char text[256];
    va_list args;
    va_start(args, fmt);
    fum_text_format(text, sizeof text, fmt, args);
    va_end(args);
    c->result = fum_error_set(c->err, FUM_ERR_FORMAT, "%s: \"%s\" %s", c->where, key, text);
}

void fum_config_unsupported(struct fum_config *c, const char *key) {
    if (c->result) return;
    char *value = cJSON_PrintUnformatted(member(c, key));
    c->result =
        fum_error_set(c->err, FUM_ERR_UNSUPPORTED,
                      "%s: \"%s\" is %s, which fumarole does not build; use a model without it",
                      c->where, key, fum_text_show(value ? value : "null").text);
    cJSON_free(value);
}

void fum_config_only(struct fum_config *c, const char *key, double number, const char *string) {
    const cJSON *item = member(c, key);
    if (!item || cJSON_IsFalse(item)) return;
    if (string && cJSON_IsString(item) && !strcmp(item->valuestring, string)) return;
    if (!string && cJSON_IsNumber(item) && item->valuedouble == number) return;
    fum_config_unsupported(c, key);
}

struct range {
    double fallback, min, max;
    bool whole;
};

static double in_range(struct fum_config *c, const char *key, const cJSON *item,
                       const struct range *range) {
    const char *kind = range->whole ? "a whole number" : "a number";
    if (!cJSON_IsNumber(item)) {
        fum_config_fail(c, key, "must be %s", kind);
        return range->fallback;
    }
    double v = item->valuedouble;
    // Written so that NaN fails; the cast is safe within the range.
    bool inside = v >= range->min && v <= range->max;
    if (inside && (!range->whole || v == (double)(int64_t)v)) return v;
    fum_config_fail(c, key, "is %g, not %s from %g to %g", v, kind, range->min, range->max);
    return range->fallback;
}

double fum_config_number(struct fum_config *c, const char *key, double fallback, double min,
                         double max) {
    const cJSON *item = member(c, key);
    return item ? in_range(c, key, item, &(struct range){fallback, min, max, false}) : fallback;
}

int fum_config_int(struct fum_config *c, const char *key, int fallback, int min, int max) {
    const cJSON *item = member(c, key);
    return item ? (int)in_range(c, key, item, &(struct range){fallback, min, max, true}) : fallback;
}

bool fum_config_bool(struct fum_config *c, const char *key, bool fallback) {
    const cJSON *item = member(c, key);
    if (!item) return fallback;
    if (!cJSON_IsBool(item)) fum_config_fail(c, key, "must be true or false");
    return cJSON_IsTrue(item);
}

const char *fum_config_string(struct fum_config *c, const char *key, const char *fallback) {
    const cJSON *item = member(c, key);
    if (!item) return fallback;
    if (!cJSON_IsString(item)) fum_config_fail(c, key, "must be a string");
    return cJSON_IsString(item) ? item->valuestring : fallback;
}

void fum_config_ints(struct fum_config *c, const char *key, const struct fum_config_list *list) {
    const struct range range = {list->fallback, list->min, list->max, true};
    const cJSON *item = member(c, key);
    bool many = cJSON_IsArray(item);
    if (many && cJSON_GetArraySize(item) != list->count) {
        fum_config_fail(c, key, "has %d entries, but must be one number or %d of them",
                        cJSON_GetArraySize(item), list->count);
        many = false, item = NULL;
    }
    for (int i = 0; i < list->count; i++) {
        const cJSON *one = many ? cJSON_GetArrayItem(item, i) : item;
        list->values[i] = one ? (int)in_range(c, key, one, &range) : list->fallback;
    }
}

bool fum_config_floats(struct fum_config *c, const char *key, float *values, int count) {
    const cJSON *item = member(c, key);
    if (!item) return false;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != count) {
        fum_config_fail(c, key, "must be a list of %d numbers", count);
        return false;
    }
    const struct range range = {0, -1e30, 1e30, false};
    for (int i = 0; i < count; i++)
        values[i] = (float)in_range(c, key, cJSON_GetArrayItem(item, i), &range);
    return c->result == FUM_OK;
}

int fum_config_list(struct fum_config *c, const char *key, int max) {
    const cJSON *item = member(c, key);
    if (!item) return 0;
    int count = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : -1;
    if (count < 0 || count > max) {
        fum_config_fail(c, key, "must be a list of at most %d entries", max);
        return 0;
    }
    return count;
}

const char *fum_config_list_string(struct fum_config *c, const char *key, int i) {
    const cJSON *item = cJSON_GetArrayItem(member(c, key), i);
    if (cJSON_IsString(item)) return item->valuestring;
    fum_config_fail(c, key, "must be a list of strings");
    return "";
}
