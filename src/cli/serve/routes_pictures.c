// SPDX-License-Identifier: MIT
// Answers /api/pictures, /api/models and /api/devices.
#include "routes.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>

// ---- pictures ----

static void answer_no_picture(const struct http_request *request, struct http_response *response) {
    const struct http_error error = {.status = 404};
    http_answer_error(request, response, &error, "there is no picture with that id");
}

// Copies the id of a picture without the ending of its file.
static void copy_id(const struct http_request *request, char id[JOB_ID_BYTES + 16]) {
    size_t bytes = strlen(request->id);
    if (bytes > 4 && strcmp(request->id + bytes - 4, ".png") == 0) bytes -= 4;
    if (bytes >= JOB_ID_BYTES + 16) bytes = 0;
    memcpy(id, request->id, bytes);
    id[bytes] = 0;
}

// Returns the whole of a file, to free with free(), or NULL.
static char *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    char *data = size > 0 && fseek(file, 0, SEEK_SET) == 0 ? malloc((size_t)size) : NULL;
    if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        data = NULL;
    }
    if (file) fclose(file);
    *bytes = (size_t)size;
    return data;
}

// True if the client has the file already.
static bool is_known(const struct http_request *request, const char *etag) {
    const char *known = http_header(request, "If-None-Match");
    return known && (strstr(known, etag) || strcmp(known, "*") == 0);
}

void route_picture_get(const struct http_request *request, struct http_response *response) {
    char id[JOB_ID_BYTES + 16];
    struct jobs_picture picture;
    copy_id(request, id);
    if (!jobs_find_picture(request->server->jobs, id, &picture)) {
        answer_no_picture(request, response);
        return;
    }
    response->type = "image/png";
    snprintf(response->etag, sizeof response->etag, "\"%s\"", picture.sha256);
    if (is_known(request, response->etag)) {
        response->status = 304;
        return;
    }
    response->body = read_file(picture.path, &response->bytes);
    if (response->body) return;
    response->etag[0] = 0;
    answer_no_picture(request, response); // its file was removed by hand
}

void route_picture_delete(const struct http_request *request, struct http_response *response) {
    char id[JOB_ID_BYTES + 16];
    copy_id(request, id);
    enum jobs_result result = jobs_delete_picture(request->server->jobs, id);
    if (result == JOBS_NOT_FOUND) {
        answer_no_picture(request, response);
        return;
    }
    cJSON *answer = result == JOBS_OK ? cJSON_CreateObject() : NULL;
    if (answer &&
        (!cJSON_AddStringToObject(answer, "id", id) || !cJSON_AddTrueToObject(answer, "deleted"))) {
        cJSON_Delete(answer);
        answer = NULL;
    }
    http_answer_json(response, 200, answer);
}

// ---- devices and models ----

// Returns an object with one member, which is taken over.
static cJSON *wrap(const char *name, cJSON *value) {
    cJSON *object = cJSON_CreateObject();
    if (cli_json_put(object, name, value)) return object;
    cJSON_Delete(object);
    return NULL;
}

void route_devices(const struct http_request *request, struct http_response *response) {
    http_answer_json(response, 200, wrap("devices", jobs_describe_devices(request->server->jobs)));
}

static bool is_loaded(const cJSON *devices, const char *model) {
    const cJSON *device;
    cJSON_ArrayForEach(device, devices) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(device, "model"));
        if (name && strcmp(name, model) == 0) return true;
    }
    return false;
}

static bool add_name(cJSON *object, const char *key, const char *name) {
    return (name ? cJSON_AddStringToObject(object, key, name)
                 : cJSON_AddNullToObject(object, key)) != NULL;
}

static cJSON *describe_model(const struct catalogue_entry *entry, bool first,
                             const cJSON *devices) {
    cJSON *model = cJSON_CreateObject();
    if (model && add_name(model, "name", entry->name) &&
        cJSON_AddBoolToObject(model, "default", first) &&
        cJSON_AddBoolToObject(model, "loaded", is_loaded(devices, entry->name)) &&
        cJSON_AddNumberToObject(model, "width", entry->width) &&
        cJSON_AddNumberToObject(model, "height", entry->height) &&
        cJSON_AddNumberToObject(model, "steps", entry->steps) &&
        cJSON_AddNumberToObject(model, "cfg_scale", (double)entry->guidance) &&
        add_name(model, "sampling_method", entry->sampler) &&
        add_name(model, "scheduler", entry->schedule))
        return model;
    cJSON_Delete(model);
    return NULL;
}

static cJSON *list_models(const struct catalogue *catalogue, const cJSON *devices) {
    cJSON *list = cJSON_CreateArray();
    const struct catalogue_entry *entry;
    for (size_t i = 0; list && (entry = catalogue_at(catalogue, CATALOGUE_MODEL, i)); i++) {
        cJSON *model = describe_model(entry, i == 0, devices);
        if (model && cJSON_AddItemToArray(list, model)) continue;
        cJSON_Delete(model);
        cJSON_Delete(list);
        list = NULL;
    }
    return list;
}

void route_models(const struct http_request *request, struct http_response *response) {
    cJSON *devices = jobs_describe_devices(request->server->jobs);
    const struct catalogue *catalogue = server_catalogue(request->server);
    cJSON *list = devices ? list_models(catalogue, devices) : NULL;
    server_catalogue_done(request->server);
    cJSON_Delete(devices);
    http_answer_json(response, 200, wrap("models", list));
}
