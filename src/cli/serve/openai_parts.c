// SPDX-License-Identifier: MIT
// Reads multipart bodies: pictures stay where they are, texts become values of JSON.
#include "openai.h"

#include "../job/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 1 << 20 };

struct parts {
    struct openai_call *o;
    cJSON *object;
};

static enum api_type find_type(const struct api_call *call, const char *name) {
    for (const struct api_field *f = call->table; f->name; f++)
        if (strcmp(f->name, name) == 0) return f->type;
    return API_TEXT; // of an unknown field, which is refused later
}

// Returns the text as a value of the field's type. Texts that are not of it stay texts, so that
// they are refused with the type that is expected.
static cJSON *make_value(enum api_type type, const char *text) {
    struct job_json_error error;
    cJSON *value = NULL;
    bool number = type == API_WHOLE || type == API_NUMBER;
    if (type == API_BOOL && (strcmp(text, "true") == 0 || strcmp(text, "True") == 0))
        return cJSON_CreateTrue();
    if (type == API_BOOL && (strcmp(text, "false") == 0 || strcmp(text, "False") == 0))
        return cJSON_CreateFalse();
    if (number && job_json_read(&value, text, strlen(text), &error) == CLI_JSON_GOOD &&
        cJSON_IsNumber(value))
        return value;
    cJSON_Delete(value);
    return cJSON_CreateString(text);
}

static bool take_text(struct parts *parts, const struct http_part *part) {
    struct api_call *call = &parts->o->call;
    char *text = part->bytes <= MAX_TEXT ? malloc(part->bytes + 1) : NULL;
    if (part->bytes > MAX_TEXT || memchr(part->data, 0, part->bytes)) {
        free(text);
        return api_refuse(call, part->name, "invalid_value", "%s is not a text of at most %d bytes",
                          cli_show(part->name).text, MAX_TEXT);
    }
    if (!text) return api_refuse_memory(call);
    if (cJSON_GetObjectItemCaseSensitive(parts->object, part->name)) {
        free(text);
        return api_refuse(call, part->name, "repeated", "%s is given twice",
                          cli_show(part->name).text);
    }
    memcpy(text, part->data, part->bytes);
    text[part->bytes] = 0;
    cJSON *value = make_value(find_type(call, part->name), text);
    free(text);
    return cli_json_put(parts->object, part->name, value) || api_refuse_memory(call);
}

static bool take_image(struct parts *parts, const struct http_part *part) {
    if (parts->o->image)
        return api_refuse(&parts->o->call, "image", "unsupported",
                          "image must be one picture; several cannot be edited at once");
    parts->o->image = part->data;
    parts->o->image_bytes = part->bytes;
    return true;
}

static bool take_mask(struct parts *parts, const struct http_part *part) {
    if (parts->o->mask)
        return api_refuse(&parts->o->call, "mask", "repeated", "mask is given twice");
    parts->o->mask = part->data;
    parts->o->mask_bytes = part->bytes;
    return true;
}

static bool take_part(void *user, const struct http_part *part) {
    struct parts *parts = user;
    if (strcmp(part->name, "image") == 0 || strncmp(part->name, "image[", 6) == 0)
        return take_image(parts, part);
    if (strcmp(part->name, "mask") == 0) return take_mask(parts, part);
    return take_text(parts, part);
}

// Texts of a multipart body are any bytes, so the object is read again as strictly as JSON is.
static cJSON *check_texts(struct api_call *call, cJSON *object) {
    struct job_json_error error;
    cJSON *checked = NULL;
    char *text = cli_json_print(object);
    cJSON_Delete(object);
    if (!text) {
        api_refuse_memory(call);
        return NULL;
    }
    enum cli_json result = job_json_read(&checked, text, strlen(text), &error);
    cJSON_free(text);
    if (result == CLI_JSON_NO_MEMORY) api_refuse_memory(call);
    if (result == CLI_JSON_BAD)
        api_refuse(call, "", "invalid_value", "the form's texts cannot be read: %s", error.text);
    return checked;
}

cJSON *openai_read_parts(struct openai_call *o) {
    struct parts parts = {.o = o, .object = cJSON_CreateObject()};
    if (!parts.object) {
        api_refuse_memory(&o->call);
        return NULL;
    }
    bool multipart = http_each_part(o->call.request, take_part, &parts);
    if (o->image) fum_sha256_text(o->image, o->image_bytes, o->call.attached[0]);
    if (o->mask) fum_sha256_text(o->mask, o->mask_bytes, o->call.attached[1]);
    if (multipart && !o->call.error.refusal) return check_texts(&o->call, parts.object);
    if (!o->call.error.refusal)
        api_refuse(&o->call, "", NULL, "the body is not a whole multipart form");
    cJSON_Delete(parts.object);
    return NULL;
}
