// SPDX-License-Identifier: MIT
// Describes the server's paths in OpenAPI 3: shapes stand in openapi.json, paths in routes.def,
// fields of jobs in the option table.
#define _POSIX_C_SOURCE 200809L

#include "openapi.h"

#include "page_files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static cJSON *get(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void add_reference(cJSON *content, const char *type, const char *name) {
    char path[120];
    cJSON *media = cJSON_AddObjectToObject(content, type);
    cJSON *schema = media ? cJSON_AddObjectToObject(media, "schema") : NULL;
    if (!schema) return;
    if (!name || !*name) {
        cJSON_AddStringToObject(schema, "type",
                                strcmp(type, "application/json") ? "string" : "object");
        return;
    }
    snprintf(path, sizeof path, "#/components/schemas/%s", name);
    cJSON_AddStringToObject(schema, "$ref", path);
}

static void add_parameter(cJSON *parameters, const char *place, const char *name,
                          const char *description) {
    cJSON *parameter = cJSON_CreateObject();
    if (!parameter) return;
    cJSON_AddStringToObject(parameter, "name", name);
    cJSON_AddStringToObject(parameter, "in", place);
    cJSON_AddBoolToObject(parameter, "required", strcmp(place, "path") == 0);
    cJSON_AddStringToObject(parameter, "description", description);
    cJSON *schema = cJSON_AddObjectToObject(parameter, "schema");
    if (schema) cJSON_AddStringToObject(schema, "type", "string");
    cJSON_AddItemToArray(parameters, parameter);
}

static void add_parameters(cJSON *operation, const struct http_route *route, const cJSON *queries) {
    const cJSON *query;
    cJSON *parameters = cJSON_AddArrayToObject(operation, "parameters");
    if (!parameters) return;
    if (strstr(route->path, "{id}")) add_parameter(parameters, "path", "id", "the id");
    cJSON_ArrayForEach(query, queries) {
        add_parameter(parameters, "query", cJSON_GetArrayItem(query, 0)->valuestring,
                      cJSON_GetArrayItem(query, 1)->valuestring);
    }
}

static void add_body(cJSON *operation, const struct http_route *route, const cJSON *shapes) {
    const cJSON *request = get(shapes, "request");
    if (route->body == HTTP_NO_BODY) return;
    cJSON *body = cJSON_AddObjectToObject(operation, "requestBody");
    cJSON *content = body ? cJSON_AddObjectToObject(body, "content") : NULL;
    if (!content) return;
    cJSON_AddBoolToObject(body, "required", route->body != HTTP_JSON_OPTIONAL);
    add_reference(content,
                  route->body == HTTP_MULTIPART ? "multipart/form-data" : "application/json",
                  request ? request->valuestring : NULL);
}

static void add_answer(cJSON *answers, const char *status, const char *description,
                       const char *type, const char *shape) {
    cJSON *answer = cJSON_AddObjectToObject(answers, status);
    cJSON *content = answer ? cJSON_AddObjectToObject(answer, "content") : NULL;
    if (!content) return;
    cJSON_AddStringToObject(answer, "description", description);
    add_reference(content, type, shape);
}

// Names an operation after its method and path, "get_api_jobs_id".
static void add_id(cJSON *operation, const struct http_route *route) {
    char id[120];
    size_t used = 0;
    bool inside = false; // a word of the path
    for (const char *c = route->method; *c; c++) id[used++] = (char)tolower((unsigned char)*c);
    for (const char *c = route->path; *c && used + 2 < sizeof id; c++) {
        bool letter = isalnum((unsigned char)*c) != 0;
        if (letter && !inside) id[used++] = '_';
        if (letter) id[used++] = *c;
        inside = letter;
    }
    id[used] = 0;
    cJSON_AddStringToObject(operation, "operationId", id);
}

static void add_route(cJSON *document, const struct http_route *route) {
    char key[120];
    snprintf(key, sizeof key, "%s %s", route->method, route->path);
    const cJSON *shapes = get(get(document, "x-routes"), key);
    const cJSON *type = get(get(document, "x-types"), key), *answer = get(shapes, "response");
    cJSON *paths = get(document, "paths"), *path = get(paths, route->path);
    if (!path) path = cJSON_AddObjectToObject(paths, route->path);
    char method[16] = "";
    for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    cJSON *operation = path ? cJSON_AddObjectToObject(path, method) : NULL;
    if (!operation) return;
    cJSON_AddStringToObject(operation, "summary", route->summary);
    add_id(operation, route);
    add_parameters(operation, route, get(get(document, "x-queries"), key));
    add_body(operation, route, shapes);
    cJSON *answers = cJSON_AddObjectToObject(operation, "responses");
    if (!answers) return;
    add_answer(answers, strcmp(key, "POST /api/jobs") == 0 ? "201" : "200", "Success",
               type ? type->valuestring : "application/json", answer ? answer->valuestring : NULL);
    add_answer(answers, "default", "An error", "application/json",
               route->dialect == HTTP_A1111 ? "A1111Error" : "ErrorAnswer");
}

cJSON *openapi_create(const struct job_context *context) {
    const struct page_file *file = page_find("openapi.json");
    cJSON *document = file ? cJSON_ParseWithLength((const char *)file->data, file->bytes) : NULL;
    if (!document) return NULL;
    cJSON *schemas = get(get(document, "components"), "schemas");
    cJSON_AddStringToObject(get(document, "info"), "version", fum_version());
    openapi_add_fields(schemas, context);
    for (const struct http_route *route = http_routes; route->method; route++)
        add_route(document, route);
    cJSON_DeleteItemFromObjectCaseSensitive(document, "x-routes");
    cJSON_DeleteItemFromObjectCaseSensitive(document, "x-queries");
    cJSON_DeleteItemFromObjectCaseSensitive(document, "x-types");
    return document;
}
