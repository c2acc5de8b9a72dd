// SPDX-License-Identifier: MIT
// Answers with the pictures of a finished job, as OpenAI does.
#include "openai.h"

#include "../base64.h"

#include <stdlib.h>
#include <string.h>

void openai_format_size(const cJSON *object, char size[OPENAI_SIZE_BYTES]) {
    snprintf(size, OPENAI_SIZE_BYTES, "%.0fx%.0f", api_member_number(object, "width"),
             api_member_number(object, "height"));
}

bool openai_add_settings(cJSON *object, const struct api_format *format, const char *size) {
    return cJSON_AddStringToObject(object, "size", size) &&
           cJSON_AddStringToObject(object, "output_format", format->name) &&
           cJSON_AddStringToObject(object, "background", "opaque") &&
           cJSON_AddStringToObject(object, "quality", "auto");
}

char *openai_encode_picture(struct jobs *jobs, const cJSON *picture,
                            const struct api_format *format) {
    struct api_file file = {0};
    struct fum_error err = {0};
    if (!api_read_picture(jobs, picture, &file)) return NULL;
    enum fum_result result = FUM_OK;
    if (strcmp(format->name, "png") != 0) result = api_convert_file(&file, format, &err);
    char *text = result == FUM_OK ? cli_base64_encode(file.data, file.bytes) : NULL;
    free(file.data);
    return text;
}

static bool add_url(cJSON *item, const struct openai_call *o, const cJSON *picture) {
    char url[512];
    snprintf(url, sizeof url, "http://%s%s", o->call.request->host,
             api_member_text(picture, "url"));
    return cJSON_AddStringToObject(item, "url", url) != NULL;
}

static bool add_base64(cJSON *item, const struct openai_call *o, const cJSON *picture) {
    char *text = openai_encode_picture(o->call.request->server->jobs, picture, &o->format);
    bool good = text && cJSON_AddStringToObject(item, "b64_json", text);
    free(text);
    return good;
}

static bool add_picture(cJSON *data, const struct openai_call *o, const cJSON *picture) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(data, item)) {
        cJSON_Delete(item);
        return false;
    }
    return (o->url ? add_url(item, o, picture) : add_base64(item, o, picture)) &&
           cJSON_AddNumberToObject(item, "seed", api_member_number(picture, "seed"));
}

static cJSON *make_answer(const struct openai_call *o, const cJSON *job) {
    char size[OPENAI_SIZE_BYTES];
    const cJSON *pictures = cJSON_GetObjectItemCaseSensitive(job, "pictures"), *picture;
    cJSON *answer = cJSON_CreateObject();
    double created = api_member_number(job, "created");
    bool good = answer && cJSON_AddNumberToObject(answer, "created", (double)(long long)created);
    cJSON *data = good ? cJSON_AddArrayToObject(answer, "data") : NULL;
    good = data != NULL;
    cJSON_ArrayForEach(picture, pictures) good = good && add_picture(data, o, picture);
    openai_format_size(pictures->child, size);
    if (good && openai_add_settings(answer, &o->format, size)) return answer;
    cJSON_Delete(answer);
    return NULL;
}

void openai_answer(struct openai_call *o, const cJSON *job) {
    const cJSON *pictures = cJSON_GetObjectItemCaseSensitive(job, "pictures");
    if (pictures && pictures->child) {
        http_answer_json(o->call.response, 200, make_answer(o, job));
        return;
    }
    // It was cancelled, or its pictures were removed. 400, since clients repeat what failed by 500.
    http_answer_error(o->call.request, o->call.response,
                      &(struct http_error){.status = 400, .code = "cancelled"},
                      "job %s was cancelled before its first picture", api_member_text(job, "id"));
}
