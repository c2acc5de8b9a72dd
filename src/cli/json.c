// SPDX-License-Identifier: MIT
// Parses JSON and distinguishes refused memory from bad syntax, for both of which cJSON returns
// NULL.
#include "cli.h"

#include <cjson/cJSON.h>

#include <stdlib.h>

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
