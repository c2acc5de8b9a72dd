// SPDX-License-Identifier: MIT
#include "info_json.h"

#include "cli.h"

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

// Prints an object, unless memory for members was refused, and frees it.
static int print_object(cJSON *json) {
    char *text = json ? cJSON_Print(json) : NULL;
    cJSON_Delete(json);
    if (!text || cli_json_refused()) {
        cJSON_free(text);
        return cli_fail("no memory to describe a file");
    }
    cli_put_json(stdout, text);
    cJSON_free(text);
    return 0;
}

// Adds what is known of tensors: their number, size and types.
static void add_tensors(cJSON *json, const struct fum_component_info *info) {
    cJSON_AddNumberToObject(json, "tensors", info->tensors);
    cJSON_AddNumberToObject(json, "parameters", (double)info->parameters);
    cJSON_AddNumberToObject(json, "bytes", (double)info->bytes);
    cJSON *types = cJSON_AddObjectToObject(json, "types");
    for (int i = 0; i < FUM_DTYPE_COUNT; i++)
        if (info->dtypes[i])
            cJSON_AddNumberToObject(types, fum_dtype_name((enum fum_dtype)i), info->dtypes[i]);
    for (size_t i = 0; i < FUM_BLOCK_TYPES; i++)
        if (info->blocks[i]) cJSON_AddNumberToObject(types, fum_block_name(i), info->blocks[i]);
    if (info->unknown) cJSON_AddNumberToObject(types, "unknown", info->unknown);
}

static void add_components(cJSON *json, const fum_model *model) {
    struct fum_component_info component;
    cJSON *list = cJSON_AddArrayToObject(json, "components");
    for (int i = 0; fum_model_get_component(model, i, &component); i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", component.name);
        if (component.class_name) cJSON_AddStringToObject(object, "class", component.class_name);
        if (component.file) cJSON_AddStringToObject(object, "file", component.file);
        add_tensors(object, &component);
        cJSON_AddItemToArray(list, object);
    }
}

static void add_defaults(cJSON *json, const struct fum_model_info *info) {
    if (info->prediction[0]) cJSON_AddStringToObject(json, "prediction", info->prediction);
    if (info->description[0]) cJSON_AddStringToObject(json, "description", info->description);
    if (info->license[0]) cJSON_AddStringToObject(json, "license", info->license);
    if (info->origin[0]) cJSON_AddStringToObject(json, "origin", info->origin);
    if (info->unusable) cJSON_AddStringToObject(json, "unusable", info->unusable);
    if (info->width <= 0) return;
    cJSON_AddNumberToObject(json, "width", info->width);
    cJSON_AddNumberToObject(json, "height", info->height);
    cJSON_AddNumberToObject(json, "size_multiple", info->size_multiple);
    cJSON_AddNumberToObject(json, "steps", info->steps);
    cJSON_AddNumberToObject(json, "guidance", (double)info->guidance);
    cJSON_AddStringToObject(json, "sampler", info->sampler);
    cJSON_AddNumberToObject(json, "clip_skip", info->clip_skip);
}

static void add_problem(void *user, enum fum_model_problem problem, const char *component,
                        const char *tensor, const char *detail) {
    static const char *const names[] = {"missing", "misshapen", "unmatched"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "problem", names[problem]);
    cJSON_AddStringToObject(object, "component", component);
    cJSON_AddStringToObject(object, "tensor", tensor);
    if (detail && *detail) cJSON_AddStringToObject(object, "detail", detail);
    cJSON_AddItemToArray(user, object);
}

int cli_info_print_model(const fum_model *model) {
    const struct fum_model_info *info = fum_model_get_info(model);
    struct fum_error err = {0};
    cli_json_begin();
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "kind", "model");
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "path", info->path);
    cJSON_AddStringToObject(json, "family", info->family);
    add_defaults(json, info);
    add_components(json, model);
    enum fum_result result =
        fum_model_check(model, add_problem, cJSON_AddArrayToObject(json, "problems"), &err);
    cJSON_AddBoolToObject(json, "complete", result == FUM_OK);
    int status = print_object(json);
    return status || result == FUM_OK ? status : cli_fail_result(result, &err);
}

// Adds a fact under its name with underscores.
static void add_fact(cJSON *json, const struct fum_contents_fact *fact) {
    char name[64];
    snprintf(name, sizeof name, "%s", fact->name);
    for (char *c = name; *c; c++)
        if (*c == ' ') *c = '_';
    if (fact->number)
        cJSON_AddRawToObject(json, name, fact->text);
    else
        cJSON_AddStringToObject(json, name, fact->text);
}

int cli_info_print_contents(const fum_contents *contents) {
    const struct fum_contents_info *info = fum_contents_get_info(contents);
    const char *key, *value;
    cli_json_begin();
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "kind", info->kind);
    cJSON_AddStringToObject(json, "title", info->title);
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "path", info->path);
    for (int i = 0; i < info->num_facts; i++) add_fact(json, &info->facts[i]);
    add_tensors(json, &info->tensors);
    cJSON *metadata = cJSON_AddObjectToObject(json, "metadata");
    for (int i = 0; (value = fum_contents_metadata(contents, i, &key)); i++)
        cJSON_AddStringToObject(metadata, key, value);
    return print_object(json);
}
