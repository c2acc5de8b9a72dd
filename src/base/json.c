#include "base/json.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

enum { MAX_JSON_BYTES = 64 << 20 };

enum fum_result fum_json_parse(cJSON **json, const char *text, size_t bytes, const char *where, struct fum_error *err) {
    *json = NULL;
    if (bytes > MAX_JSON_BYTES)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: JSON of %zu bytes is over the limit of %d", where, bytes,
                             MAX_JSON_BYTES);
    const char *end = text;
    *json = cJSON_ParseWithLengthOpts(text, bytes, &end, false);
    if (!*json)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: not valid JSON near byte %zu", where, (size_t)(end - text));
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

double fum_json_number(const cJSON *object, const char *key, double otherwise) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

bool fum_json_bool(const cJSON *object, const char *key, bool otherwise) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}

const char *fum_json_string(const cJSON *object, const char *key, const char *otherwise) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}
