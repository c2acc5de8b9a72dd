// SPDX-License-Identifier: MIT
// Parses JSON and distinguishes refused memory from bad syntax, for both of which cJSON returns
// NULL.
#include "cli.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool refused;

static void *allocate(size_t bytes) {
    void *p = malloc(bytes);
    refused = refused || !p;
    return p;
}

// Sets cJSON's hooks, which are global to the process: the program may do that, the library may
// not.
void cli_json_init(void) {
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = allocate, .free_fn = free});
}

void cli_json_begin(void) {
    refused = false;
}

bool cli_json_refused(void) {
    return refused;
}

enum cli_json cli_json_parse(cJSON **json, const char *text, size_t bytes, size_t *end) {
    const char *stopped = text;
    refused = false;
    *json = cJSON_ParseWithLengthOpts(text, bytes, &stopped, 0);
    *end = (size_t)(stopped - text);
    if (*json) return CLI_JSON_GOOD;
    return refused ? CLI_JSON_NO_MEMORY : CLI_JSON_BAD;
}

// True if cJSON would round the number.
static bool is_long(const cJSON *item) {
    const double rounded = 1e15, longest = 9007199254740992.0; // larger ones are no seeds
    double size = fabs(item->valuedouble);
    return cJSON_IsNumber(item) && size >= rounded && size <= longest && floor(size) == size;
}

// Writes the digits of long numbers as raw text. Without memory some stay as they are.
static void set_digits(cJSON *item) {
    for (cJSON *child = item->child; child; child = child->next) set_digits(child);
    if (!is_long(item) || !(item->valuestring = cJSON_malloc(32))) return;
    snprintf(item->valuestring, 32, "%.0f", item->valuedouble);
    item->type = (item->type & ~0xff) | cJSON_Raw;
}

// Makes the raw texts numbers again. A raw text of the caller's has no value.
static void unset_digits(cJSON *item) {
    for (cJSON *child = item->child; child; child = child->next) unset_digits(child);
    if (!cJSON_IsRaw(item) || item->valuedouble == 0) return;
    cJSON_free(item->valuestring);
    item->valuestring = NULL;
    item->type = (item->type & ~0xff) | cJSON_Number;
}

char *cli_json_print(cJSON *json) {
    set_digits(json);
    char *text = cJSON_PrintUnformatted(json);
    unset_digits(json);
    return text;
}

bool cli_json_put(cJSON *object, const char *name, cJSON *value) {
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    if (value && cJSON_AddItemToObject(object, name, value)) return true;
    cJSON_Delete(value);
    return false;
}
