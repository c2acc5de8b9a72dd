// SPDX-License-Identifier: MIT
// Reads a model's config.json: typed members with ranges. The first error is kept; it names the key
// and what was found. After the first failure the readers return their defaults.
#ifndef FUM_MODEL_CONFIG_H
#define FUM_MODEL_CONFIG_H

#include <fumarole/core.h>

#include <cjson/cJSON.h>

struct fum_config {
    const cJSON *json;      // borrowed
    const char *where;      // names the file in errors ("unet/config.json")
    enum fum_result result; // the first failure
    struct fum_error *err;  // its text; may be NULL
};

// Returns a member, or `fallback` if it is absent or null.
int fum_config_int(struct fum_config *config, const char *key, int fallback, int min, int max);
double fum_config_number(struct fum_config *config, const char *key, double fallback, double min,
                         double max);
bool fum_config_bool(struct fum_config *config, const char *key, bool fallback);
const char *fum_config_string(struct fum_config *config, const char *key, const char *fallback);
// Returns true if the key is there and not null.
bool fum_config_has(const struct fum_config *config, const char *key);

// Whole numbers, one for each level or block of a model.
struct fum_config_list {
    int *values, count;
    int fallback, min, max;
};
// Reads one number for all values, or a list of exactly `count`.
void fum_config_ints(struct fum_config *config, const char *key,
                     const struct fum_config_list *list);
// Reads a list of exactly `count` floats. False when the key is absent or null.
bool fum_config_floats(struct fum_config *config, const char *key, float *values, int count);
// Returns the length of a list; 0 when the key is absent. Fails when it is no list or longer than
// `max`.
int fum_config_list(struct fum_config *config, const char *key, int max);
// Returns element i of a list of strings; "" on failure.
const char *fum_config_list_string(struct fum_config *config, const char *key, int i);

// Refuses a setting that this build cannot do: "unet/config.json: dual_cross_attention is true,
// which …".
void fum_config_unsupported(struct fum_config *config, const char *key);
// Refuses the key unless it is absent, null, false, or the number or string given (string NULL:
// compare the number).
void fum_config_only(struct fum_config *config, const char *key, double number, const char *string);
// Refuses a key for another reason.
void fum_config_fail(struct fum_config *config, const char *key, const char *fmt, ...)
    FUM_PRINTF(3, 4);

#endif
