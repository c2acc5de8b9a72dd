// SPDX-License-Identifier: MIT
// Reads JSON through cJSON, with errors that name the file and the key.
#ifndef FUM_BASE_JSON_H
#define FUM_BASE_JSON_H

#include <fumarole/core.h>

#include <cjson/cJSON.h>

// Parses `bytes` of text, at most 64 MiB, which need not end in NUL. `where` names the source in
// errors. Free the result with cJSON_Delete.
enum fum_result fum_json_parse(cJSON **json, const char *text, size_t bytes, const char *where,
                               struct fum_error *err);
enum fum_result fum_json_read(cJSON **json, const char *path, struct fum_error *err);

// Returns a member, or the default if it is absent, null or of another type. Callers that
// distinguish these use cJSON directly.
double fum_json_number(const cJSON *object, const char *key, double fallback);
bool fum_json_bool(const cJSON *object, const char *key, bool fallback);
const char *fum_json_string(const cJSON *object, const char *key, const char *fallback);

#endif
