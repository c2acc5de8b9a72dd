// SPDX-License-Identifier: MIT
// fumarole metadata: how a picture was made, as it says itself.
#include "cli.h"

#include <fumarole/metadata.h>

#include <string.h>

struct metadata_options {
    bool json;
};

// clang-format off
static const struct cli_option options[] = {
    {.name = "json", .kind = CLI_FLAG, .offset = offsetof(struct metadata_options, json),
     .help = "one line of JSON: parameters, prompt, negative_prompt, fields"},
    {0},
};
// clang-format on

static cJSON *make_json(const struct fum_metadata *m) {
    cJSON *json = cJSON_CreateObject();
    cJSON *parameters = m->parameters ? cJSON_CreateString(m->parameters) : cJSON_CreateNull();
    bool good = cli_json_put(json, "parameters", parameters) &&
                cJSON_AddStringToObject(json, "prompt", m->prompt) &&
                cJSON_AddStringToObject(json, "negative_prompt", m->negative_prompt);
    cJSON *fields = good ? cJSON_AddObjectToObject(json, "fields") : NULL;
    good = fields != NULL;
    for (size_t i = 0; i < m->num_fields && good; i++)
        good = cJSON_AddStringToObject(fields, m->fields[i].key, m->fields[i].value) != NULL;
    if (good) return json;
    cJSON_Delete(json);
    return NULL;
}

static int print_json(const struct fum_metadata *m) {
    cJSON *json = make_json(m);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    if (text) cli_put_json(stdout, text);
    cJSON_free(text);
    cJSON_Delete(json);
    return text ? 0 : cli_fail("out of memory");
}

// Prints a text after a heading. Its further lines are indented, so that none passes for a heading.
static void print_text(const char *heading, const char *text) {
    if (!*text) return;
    cli_put(stdout, "%s: ", heading);
    for (bool first = true; *text; first = false) {
        size_t bytes = strcspn(text, "\n");
        cli_put_line(stdout, "%s%.*s", first ? "" : "  ", (int)bytes, text);
        text += bytes + (text[bytes] == '\n');
    }
}

static void print_all(const struct fum_metadata *m) {
    if (!m->parameters) puts("no parameters");
    print_text("Prompt", m->prompt);
    print_text("Negative prompt", m->negative_prompt);
    for (size_t i = 0; i < m->num_fields; i++)
        cli_put_line(stdout, "%s: %s", m->fields[i].key, m->fields[i].value);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct metadata_options values = {0};
    struct fum_error err = {0};
    struct fum_metadata *metadata = NULL;
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc != 1) return cli_misuse(command, "name one picture");
    enum fum_result result = fum_metadata_read(&metadata, argv[0], &err);
    status = result == FUM_OK ? 0 : cli_fail_result(result, &err);
    if (status == 0 && values.json)
        status = print_json(metadata);
    else if (status == 0)
        print_all(metadata);
    fum_metadata_destroy(&metadata);
    return status;
}

const struct cli_command cli_metadata = {
    .name = "metadata",
    .arguments = "FILE",
    .summary = "how a picture was made, from its parameters",
    .details = "FILE is a PNG, JPEG or WebP of fumarole, A1111 or a program that writes parameters "
               "as these do.\n",
    .options = options,
    .run = run,
};
