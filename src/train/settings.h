// SPDX-License-Identifier: MIT
// Holds the settings of a training: a recipe's INI file with every default, changed by a file of
// the user's and by single values. Reading through inih.
//
// A key is "section.key". Getters check what they read. The first failure is kept in `result` and
// `err`, and getters after it return something harmless, so that a reader checks once at its end.
#ifndef FUM_TRAIN_SETTINGS_H
#define FUM_TRAIN_SETTINGS_H

#include "base/alloc.h"

struct fum_setting {
    const char *section, *key, *value;
};

struct fum_settings {
    fum_arena *arena; // borrowed; holds the texts
    struct fum_setting *items;
    size_t count, capacity;
    const char *where; // what is being read, for errors ("my.ini")
    bool extend;       // unknown keys are added: true while the defaults are read
    enum fum_result result;
    struct fum_error err;
};

// Reads the defaults of a recipe, which define the keys that exist. `name` stands for the recipe in
// errors. The settings are released with fum_settings_free.
enum fum_result fum_settings_create(struct fum_settings *settings, fum_arena *arena,
                                    const char *name, const char *defaults, struct fum_error *err);
void fum_settings_free(struct fum_settings *settings);
// Changes settings to those of an INI text, whose source is called `where` in errors.
enum fum_result fum_settings_merge(struct fum_settings *settings, const char *where,
                                   const char *text, struct fum_error *err);
enum fum_result fum_settings_merge_file(struct fum_settings *settings, const char *path,
                                        struct fum_error *err);
// Changes one setting, "SECTION.KEY=VALUE".
enum fum_result fum_settings_assign(struct fum_settings *settings, const char *assignment,
                                    struct fum_error *err);

// True if the recipe has such a setting.
bool fum_settings_has(const struct fum_settings *settings, const char *key);
// Returns a setting. One that the recipe lacks is a failure.
const char *fum_settings_string(struct fum_settings *settings, const char *key);
bool fum_settings_bool(struct fum_settings *settings, const char *key);
int64_t fum_settings_int(struct fum_settings *settings, const char *key, int64_t min, int64_t max);
double fum_settings_real(struct fum_settings *settings, const char *key, double min, double max);
// Returns the index of the value among the names that `name` returns, NULL past the last.
int fum_settings_choice(struct fum_settings *settings, const char *key,
                        const char *(*name)(size_t index));
// Stores a list "a,b" of at most `capacity` numbers of 1 to 65536. Returns its length.
int fum_settings_ints(struct fum_settings *settings, const char *key, int *values, int capacity);
// Keeps a failure of another kind about a key.
void fum_settings_fail(struct fum_settings *settings, const char *key, const char *fmt, ...)
    FUM_PRINTF(3, 4);
// Copies the kept failure to `err`. Returns its code, FUM_OK if there is none.
enum fum_result fum_settings_check(const struct fum_settings *settings, struct fum_error *err);

// Defines a static function for fum_settings_choice from its names.
#define FUM_SETTING_NAMES(function, ...)                                     \
    static const char *function(size_t index) {                              \
        static const char *const names[] = {__VA_ARGS__};                    \
        return index < sizeof names / sizeof names[0] ? names[index] : NULL; \
    }

#endif
