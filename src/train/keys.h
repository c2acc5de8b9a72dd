// SPDX-License-Identifier: MIT
// Makes members of a model's JSON files from settings of the same names.
#ifndef FUM_TRAIN_KEYS_H
#define FUM_TRAIN_KEYS_H

#include "train/settings.h"

#include <cjson/cJSON.h>

enum fum_key_kind {
    FUM_KEY_STRING = 0,
    FUM_KEY_INT,
    FUM_KEY_REAL,
    FUM_KEY_BOOL,
    FUM_KEY_INTS,    // a list
    FUM_KEY_STRINGS, // a list
};

// A member of a JSON file.
struct fum_key {
    const char *name; // of the member and of the setting
    enum fum_key_kind kind;
    double min, max; // of a number
};

// Adds a member for each setting "section.name" to an object. One that is empty or that the
// recipe lacks adds none, so that the reader's default holds. Failures are kept in the settings.
void fum_settings_describe(struct fum_settings *settings, const char *section,
                           const struct fum_key *keys, size_t count, cJSON *json);
// Adds a member to an object, which owns it then. A lack of memory is a failure that is kept.
void fum_settings_put(struct fum_settings *settings, cJSON *object, const char *key, cJSON *member);
// Adds a list of words.
void fum_settings_put_words(struct fum_settings *settings, cJSON *object, const char *key,
                            const char *const *words, int count);
// Returns the object, or deletes it and returns NULL if a failure is kept.
cJSON *fum_settings_described(struct fum_settings *settings, cJSON *object);
// Returns the JSON as text in the arena of the settings, and deletes it. `json` may be NULL.
// Returns "{}" after a failure, which is kept.
const char *fum_settings_json(struct fum_settings *settings, cJSON *json);

#endif
