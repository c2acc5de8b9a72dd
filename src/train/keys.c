// SPDX-License-Identifier: MIT
#include "train/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { MAX_LIST = 16, MAX_KEY = 104 };

static void fail_memory(struct fum_settings *s) {
    if (s->result) return;
    s->result = fum_error_set(&s->err, FUM_ERR_NOMEM, "no memory for a model's configuration");
}

static cJSON *describe_ints(struct fum_settings *s, const char *key) {
    int values[MAX_LIST];
    return cJSON_CreateIntArray(values, fum_settings_ints(s, key, values, MAX_LIST));
}

static cJSON *describe_strings(struct fum_settings *s, const char *key) {
    cJSON *list = cJSON_CreateArray();
    const char *at = fum_settings_string(s, key);
    while (*at) {
        size_t length = strcspn(at, ",");
        char *word = fum_arena_printf(s->arena, "%.*s", (int)length, at);
        if (!word || !cJSON_AddItemToArray(list, cJSON_CreateString(word))) fail_memory(s);
        at += length + (at[length] == ',');
    }
    return list;
}

static cJSON *describe_key(struct fum_settings *s, const struct fum_key *key, const char *name) {
    switch (key->kind) {
    case FUM_KEY_STRING: break;
    case FUM_KEY_INT:
        return cJSON_CreateNumber(
            (double)fum_settings_int(s, name, (int64_t)key->min, (int64_t)key->max));
    case FUM_KEY_REAL: return cJSON_CreateNumber(fum_settings_real(s, name, key->min, key->max));
    case FUM_KEY_BOOL: return cJSON_CreateBool(fum_settings_bool(s, name));
    case FUM_KEY_INTS: return describe_ints(s, name);
    case FUM_KEY_STRINGS: return describe_strings(s, name);
    }
    return cJSON_CreateString(fum_settings_string(s, name));
}

void fum_settings_describe(struct fum_settings *s, const char *section, const struct fum_key *keys,
                           size_t count, cJSON *json) {
    char name[MAX_KEY];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s.%s", section, keys[i].name);
        if (!fum_settings_has(s, name) || !*fum_settings_string(s, name)) continue;
        fum_settings_put(s, json, keys[i].name, describe_key(s, &keys[i], name));
    }
}

void fum_settings_put(struct fum_settings *s, cJSON *object, const char *key, cJSON *member) {
    if (member && cJSON_AddItemToObject(object, key, member)) return;
    cJSON_Delete(member);
    fail_memory(s);
}

void fum_settings_put_words(struct fum_settings *s, cJSON *object, const char *key,
                            const char *const *words, int count) {
    fum_settings_put(s, object, key, cJSON_CreateStringArray(words, count));
}

cJSON *fum_settings_described(struct fum_settings *s, cJSON *object) {
    if (!s->result) return object;
    cJSON_Delete(object);
    return NULL;
}

const char *fum_settings_json(struct fum_settings *s, cJSON *json) {
    char *text = json ? cJSON_Print(json) : NULL;
    const char *copy = text ? fum_arena_strdup(s->arena, text) : NULL;
    cJSON_free(text);
    cJSON_Delete(json);
    if (!copy) fail_memory(s);
    return copy ? copy : "{}";
}
