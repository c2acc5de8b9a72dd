// SPDX-License-Identifier: MIT
#include "base/json.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_syntax.h"

#include <string.h>

enum { MAX_JSON_BYTES = 64 << 20 };

// Replaces -Infinity and Infinity by null in a text that is not JSON as it stands. Python writes
// them, and diffusers' configurations hold them. Returns false if the text has none.
static bool replace_python_reals(char *text, size_t bytes) {
    static const char *const words[] = {"-Infinity", "Infinity"};
    bool in_string = false, found = false;
    for (size_t i = 0; i < bytes; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        for (int w = 0; w < 2 && !in_string && i < bytes; w++) {
            size_t length = strlen(words[w]);
            if (length > bytes - i || memcmp(text + i, words[w], length) != 0) continue;
            memset(text + i, ' ', length);
            memcpy(text + i, "null", 4);
            found = true;
        }
    }
    return found;
}

// Parses a text that cJSON refused, with Python's reals replaced. If there are none, finds out why,
// since cJSON returns NULL for refused memory as for bad syntax.
static enum fum_result parse_again(cJSON **json, const char *text, size_t bytes) {
    char *copy = fum_alloc(bytes, 1);
    if (!copy) return FUM_ERR_NOMEM;
    memcpy(copy, text, bytes);
    if (replace_python_reals(copy, bytes)) *json = cJSON_ParseWithLength(copy, bytes);
    enum fum_result failure = fum_json_well_formed(copy, bytes) ? FUM_ERR_NOMEM : FUM_ERR_FORMAT;
    fum_free(copy);
    return *json ? FUM_OK : failure;
}

enum fum_result fum_json_parse(cJSON **json, const char *text, size_t bytes, const char *where,
                               struct fum_error *err) {
    *json = NULL;
    if (bytes > MAX_JSON_BYTES)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: JSON of %zu bytes is over the limit of %d",
                             where, bytes, MAX_JSON_BYTES);
    const char *end = text;
    *json = cJSON_ParseWithLengthOpts(text, bytes, &end, false);
    enum fum_result result = *json ? FUM_OK : parse_again(json, text, bytes);
    if (result == FUM_ERR_NOMEM)
        return fum_error_set(err, result, "%s: no memory for its %zu bytes of JSON", where, bytes);
    if (result)
        return fum_error_set(err, result, "%s: not valid JSON near byte %zu", where,
                             (size_t)(end - text));
    return FUM_OK;
}

enum fum_result fum_json_read(cJSON **json, const char *path, struct fum_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    *json = NULL;
    enum fum_result result = fum_file_read(path, MAX_JSON_BYTES, &text, &bytes, err);
    if (result) return result;
    result = fum_json_parse(json, text, bytes, path, err);
    fum_free(text);
    return result;
}

double fum_json_number(const cJSON *object, const char *key, double fallback) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

bool fum_json_bool(const cJSON *object, const char *key, bool fallback) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

const char *fum_json_string(const cJSON *object, const char *key, const char *fallback) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : fallback;
}
