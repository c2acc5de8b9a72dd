// SPDX-License-Identifier: MIT
#include "api.h"

#include "api_names.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// ---- errors ----

bool api_refuse(struct api_call *call, const char *name, const char *code, const char *fmt, ...) {
    struct job_error *e = &call->error;
    va_list args;
    *e = (struct job_error){.refusal = JOB_BAD_VALUE, .code = code};
    snprintf(e->param, sizeof e->param, "%.79s", cli_show(name).text);
    va_start(args, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, args);
    va_end(args);
    return false;
}

bool api_refuse_memory(struct api_call *call) {
    call->error = (struct job_error){.refusal = JOB_NO_MEMORY, .message = "out of memory"};
    return false;
}

// True if the text at `at` is the name, and not a part of a longer one.
static bool is_name_at(const char *message, const char *at, const char *name) {
    static const char of_names[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *end = at + strlen(name);
    return (at == message || !strchr(of_names, at[-1])) && (!*end || !strchr(of_names, *end));
}

// Replaces the first mention of a name.
static void replace_name(struct job_error *error, const char *from, const char *to) {
    char message[sizeof error->message];
    const char *at = error->message;
    while ((at = strstr(at, from)) && !is_name_at(error->message, at, from)) at++;
    if (!at) return;
    snprintf(message, sizeof message, "%.*s%s%s", (int)(at - error->message), error->message, to,
             at + strlen(from));
    memcpy(error->message, message, sizeof message);
}

void api_rename_error(const struct api_call *call, struct job_error *error) {
    const struct api_field *found = NULL;
    for (const struct api_field *f = call->table; f->name && error->param[0]; f++) {
        if (!f->field || strcmp(f->field, error->param) != 0 || !(f->routes & call->route))
            continue;
        if (!found || (!api_get(call, found->name) && api_get(call, f->name))) found = f;
    }
    if (!found) return;
    replace_name(error, error->param, found->name);
    snprintf(error->param, sizeof error->param, "%s", found->name);
}

void api_answer_refusal(struct api_call *call) {
    http_answer_refusal(call->request, call->response, &call->error);
}

void api_answer_no_memory(const struct http_request *request, struct http_response *response) {
    http_answer_error(request, response, &(struct http_error){.status = 503}, "out of memory");
}

// ---- values ----

const cJSON *api_get(const struct api_call *call, const char *name) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(call->given, name);
    return value && !cJSON_IsNull(value) ? value : NULL;
}

double api_number(const struct api_call *call, const char *name, double other) {
    const cJSON *value = api_get(call, name);
    return value ? value->valuedouble : other;
}

bool api_flag(const struct api_call *call, const char *name, bool other) {
    const cJSON *value = api_get(call, name);
    if (!value) return other;
    return cJSON_IsTrue(value) || (cJSON_IsNumber(value) && value->valuedouble != 0);
}

const char *api_text(const struct api_call *call, const char *name, const char *other) {
    const cJSON *value = api_get(call, name);
    return cJSON_IsString(value) ? value->valuestring : other;
}

const char *api_member_text(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

double api_member_number(const cJSON *object, const char *name) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsRaw(value)) return strtod(value->valuestring, NULL); // a seed, in its digits
    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

// True if the value is null, 0, "", false, -1, [] or {}, or one of those that the field allows.
static bool is_neutral(const struct api_field *field, const cJSON *value) {
    if (cJSON_IsNull(value) || cJSON_IsFalse(value)) return true;
    if (cJSON_IsNumber(value) && (value->valuedouble == 0 || value->valuedouble == -1)) return true;
    if (cJSON_IsString(value) && !*value->valuestring) return true;
    if ((cJSON_IsArray(value) || cJSON_IsObject(value)) && !value->child) return true;
    cJSON *more = field->neutral ? cJSON_Parse(field->neutral) : NULL;
    bool found = false;
    const cJSON *one;
    cJSON_ArrayForEach(one, more) found = found || cJSON_Compare(one, value, true);
    cJSON_Delete(more);
    return found;
}

static bool is_whole(const cJSON *value) {
    return cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble);
}

static bool has_type(const cJSON *value, enum api_type type) {
    switch (type) {
    case API_FREE: return true;
    case API_BOOL: return cJSON_IsBool(value);
    case API_FLAG:
        return cJSON_IsBool(value) ||
               (is_whole(value) && value->valuedouble >= 0 && value->valuedouble <= 1);
    case API_WHOLE: return is_whole(value);
    case API_NUMBER: return cJSON_IsNumber(value);
    case API_TEXT: return cJSON_IsString(value);
    case API_LIST: return cJSON_IsArray(value);
    case API_OBJECT: return cJSON_IsObject(value);
    }
    return false;
}

static const char *type_name(enum api_type type) {
    static const char *const names[] = {
        [API_FREE] = "a value",         [API_BOOL] = "true or false", [API_FLAG] = "true or false",
        [API_WHOLE] = "a whole number", [API_NUMBER] = "a number",    [API_TEXT] = "a text",
        [API_LIST] = "a list",          [API_OBJECT] = "an object"};
    return names[type];
}

// ---- from the client to the job ----

static const struct api_field *find_field(const struct api_call *call, const char *name) {
    for (const struct api_field *f = call->table; f->name; f++)
        if (strcmp(f->name, name) == 0 && (f->routes & call->route)) return f;
    return NULL;
}

static bool take_value(struct api_call *call, const cJSON *value) {
    const struct api_field *field = find_field(call, value->string);
    if (!field)
        return api_refuse(call, value->string, "unknown_field", "unknown field \"%s\"",
                          cli_show(value->string).text);
    if (field->use == API_NEUTRAL)
        return is_neutral(field, value) ||
               api_refuse(call, field->name, "unsupported",
                          "%s is not supported; leave it out, or at a value that does nothing",
                          field->name);
    if (cJSON_IsNull(value)) return true;
    if (!has_type(value, field->type))
        return api_refuse(call, field->name, "wrong_type", "%s must be %s", field->name,
                          type_name(field->type));
    return field->use != API_COPIED || api_set(call, field->field, cJSON_Duplicate(value, true));
}

bool api_begin(struct api_call *call) {
    const cJSON *value;
    call->error = (struct job_error){0};
    call->fields = cJSON_CreateObject();
    if (!call->fields) return api_refuse_memory(call);
    cJSON_ArrayForEach(value, call->given) {
        if (cJSON_GetObjectItemCaseSensitive(call->given, value->string) != value)
            return api_refuse(call, value->string, "repeated", "%s is given twice",
                              cli_show(value->string).text);
        if (!take_value(call, value)) return false;
    }
    return true;
}

void api_end(struct api_call *call) {
    cJSON_Delete(call->fields);
    call->fields = NULL;
}

bool api_set(struct api_call *call, const char *field, cJSON *value) {
    return cli_json_put(call->fields, field, value) || api_refuse_memory(call);
}

bool api_set_text(struct api_call *call, const char *field, const char *text) {
    return api_set(call, field, cJSON_CreateString(text));
}

bool api_set_number(struct api_call *call, const char *field, double number) {
    return api_set(call, field, cJSON_CreateNumber(number));
}

bool api_set_sampling(struct api_call *call, const char *sampler, const char *schedule) {
    const char *found = NULL;
    // Names that are not known go on to where they are refused, with the list of those that are.
    if (schedule && *schedule && !api_find_schedule(schedule, &found)) found = schedule;
    return (!sampler || !*sampler || api_set_text(call, "sampling_method", sampler)) &&
           (!found || api_set_text(call, "scheduler", found));
}
