// SPDX-License-Identifier: MIT
// Describes the fields of requests from the tables that read them.
#define _POSIX_C_SOURCE 200809L

#include "../job/fields.h"
#include "openai.h"
#include "openapi.h"
#include "sdapi.h"

#include <string.h>

static cJSON *get(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void add_limits(cJSON *schema, const struct cli_option *option) {
    if (option->min >= option->max) return;
    cJSON_AddNumberToObject(schema, "minimum", option->min);
    cJSON_AddNumberToObject(schema, "maximum", option->max);
}

static void add_seed_limits(cJSON *schema) {
    const double largest = 9007199254740991.0; // that a JSON number holds exactly
    cJSON_AddNumberToObject(schema, "minimum", -1);
    cJSON_AddNumberToObject(schema, "maximum", largest);
}

static void add_choices(cJSON *schema, const struct cli_option *option) {
    cJSON *names = cJSON_AddArrayToObject(schema, "enum");
    for (size_t i = 0; names && option->choice && option->choice(i); i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(option->choice(i)));
}

// Adds what a value of the option looks like.
static void add_type(cJSON *schema, const struct cli_option *option) {
    static const char *const types[] = {
        [CLI_FLAG] = "boolean", [CLI_STRING] = "string", [CLI_PATH] = "string",
        [CLI_INT] = "integer",  [CLI_SEED] = "integer",  [CLI_REAL] = "number",
        [CLI_FLOAT] = "number", [CLI_CHOICE] = "string", [CLI_ENUM] = "string",
        [CLI_LIST] = "array",
    };
    cJSON_AddStringToObject(schema, "type", types[option->kind]);
    if (option->kind == CLI_SEED) add_seed_limits(schema);
    if (option->kind == CLI_CHOICE || option->kind == CLI_ENUM) add_choices(schema, option);
    if (option->kind == CLI_INT || option->kind == CLI_REAL || option->kind == CLI_FLOAT)
        add_limits(schema, option);
    if (option->kind != CLI_LIST) return;
    cJSON *items = cJSON_AddObjectToObject(schema, "items");
    if (items) cJSON_AddStringToObject(items, "type", "string");
}

static void add_job_fields(cJSON *properties, const struct job_context *context) {
    const struct cli_option *option = generate_option_table;
    for (; option->name; option++) {
        struct job_error error = {0};
        char name[JOB_FIELD_NAME];
        if (option->kind == CLI_HEADING || !option->help) continue;
        if (!job_field_find(option->name, context, name, &error)) continue;
        cJSON *schema = cJSON_HasObjectItem(properties, name)
                            ? NULL
                            : cJSON_AddObjectToObject(properties, name);
        if (!schema) continue;
        add_type(schema, option);
        cJSON_AddStringToObject(schema, "description", option->help);
    }
}

// ---- fields of other APIs ----

// Adds what a value of the field looks like. `own` is the field of jobs that it sets; may be NULL.
static void add_api_type(cJSON *schema, const struct api_field *field, const cJSON *own) {
    static const char *const types[] = {
        [API_BOOL] = "boolean",  [API_FLAG] = "boolean", [API_WHOLE] = "integer",
        [API_NUMBER] = "number", [API_TEXT] = "string",  [API_LIST] = "array",
        [API_OBJECT] = "object",
    };
    const cJSON *type = get(own, "type");
    const char *name = types[field->type];
    if (field->type == API_FREE) name = type ? type->valuestring : NULL;
    if (name) cJSON_AddStringToObject(schema, "type", name);
    if (name && strcmp(name, "array") == 0) cJSON_AddObjectToObject(schema, "items");
}

static const char *describe_use(const struct api_field *field, const cJSON *own) {
    const cJSON *text = get(own, "description");
    if (field->help) return field->help;
    if (field->use == API_NOTHING) return "taken, without effect";
    if (field->use == API_NEUTRAL) return "only values that do nothing are taken";
    return text ? text->valuestring : "as the original API has it";
}

// Fields of a table that some routes take, to the schema of their requests.
struct api_schema {
    const char *name;
    const struct api_field *table;
    unsigned routes;
};

static void add_api_fields(cJSON *schemas, const struct api_schema *of, const cJSON *own_fields) {
    cJSON *properties = get(get(schemas, of->name), "properties");
    for (const struct api_field *field = of->table; field->name; field++) {
        if (!(field->routes & of->routes) || cJSON_HasObjectItem(properties, field->name)) continue;
        const cJSON *own = field->field ? get(own_fields, field->field) : NULL;
        cJSON *schema = cJSON_AddObjectToObject(properties, field->name);
        if (!schema) return;
        add_api_type(schema, field, own);
        cJSON_AddStringToObject(schema, "description", describe_use(field, own));
    }
}

void openapi_add_fields(cJSON *schemas, const struct job_context *context) {
    const struct api_schema others[] = {
        {"Txt2ImgRequest", sdapi_fields, SDAPI_TXT2IMG},
        {"Img2ImgRequest", sdapi_fields, SDAPI_IMG2IMG},
        {"ExtrasRequest", sdapi_fields, SDAPI_EXTRAS},
        {"GenerationsRequest", openai_fields, OPENAI_GENERATE},
        {"EditsRequest", openai_fields, OPENAI_EDIT},
        {"VariationsRequest", openai_fields, OPENAI_VARY},
    };
    cJSON *own = get(get(schemas, "JobRequest"), "properties");
    add_job_fields(own, context);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        add_api_fields(schemas, &others[i], own);
}
