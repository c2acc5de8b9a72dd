// SPDX-License-Identifier: MIT
#include "requests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 64 << 20, MAX_REQUESTS = 10000, PLACE_BYTES = 300 };

// ---- building the list ----

// Keeps an argument until the end, since options point into it. Takes `text`, which may be NULL.
static char *keep_argument(struct generate_requests *requests, char *text) {
    if (text && requests->num_arguments == requests->argument_capacity) {
        size_t capacity = requests->argument_capacity ? 2 * requests->argument_capacity : 64;
        char **grown = realloc(requests->arguments, capacity * sizeof *grown);
        if (!grown) {
            free(text);
            return NULL;
        }
        requests->arguments = grown;
        requests->argument_capacity = capacity;
    }
    if (text) requests->arguments[requests->num_arguments++] = text;
    return text;
}

// Returns "--name=value", or "--name" without a value, which is kept until the end.
static char *make_argument(struct generate_requests *requests, const char *name,
                           const char *value) {
    size_t size = strlen(name) + (value ? strlen(value) : 0) + sizeof "--=";
    char *text = malloc(size);
    if (text) snprintf(text, size, "--%s%s%s", name, value ? "=" : "", value ? value : "");
    return keep_argument(requests, text);
}

static struct generate_request *add_request(struct generate_requests *requests) {
    if (requests->count == requests->capacity) {
        size_t capacity = requests->capacity ? 2 * requests->capacity : 16;
        struct generate_request *grown = realloc(requests->list, capacity * sizeof *grown);
        if (!grown) return NULL;
        requests->list = grown;
        requests->capacity = capacity;
    }
    struct generate_request *request = &requests->list[requests->count++];
    *request = (struct generate_request){.options = requests->options};
    return request;
}

// Changes one option of a request, by its name or its letter.
static int set_option(struct generate_requests *requests, struct generate_options *options,
                      const char *name, const char *value) {
    const struct cli_option *option = cli_options_find(generate_option_table, name);
    bool shared = options == &requests->options; // by all requests
    if (!option && name[0] && !name[1])
        option = cli_options_find_letter(generate_option_table, name[0]);
    if (option) name = option->name;
    if (option && !shared && !generate_option_is_of_request(option))
        return cli_misuse(requests->command,
                          "--%s holds for the whole run; give it on the command line", name);
    char *argument = make_argument(requests, name, value);
    if (!argument) return cli_fail("out of memory");
    struct cli_parse parse = {
        .options = generate_option_table, .foreign = requests->command->foreign, .values = options};
    int count = 1;
    if (!cli_options_parse(&parse, &count, &argument))
        return cli_misuse(requests->command, "%s", parse.message);
    if (parse.notes[0]) cli_put_line(stderr, "fumarole: no effect here: %s", parse.notes);
    return 0;
}

// Counts the pictures before the last request, and checks and reads that one.
static int finish_request(struct generate_requests *requests, int argc, char **argv) {
    struct generate_request *request = &requests->list[requests->count - 1];
    request->given = request->options;
    int status = generate_options_check(requests->command, &request->options, argc, argv);
    if (status >= 0) return status;
    for (size_t i = requests->count - 1; i-- > 0 && !request->before;) {
        const struct generate_request *earlier = &requests->list[i];
        if (strcmp(earlier->options.output, request->options.output) == 0)
            request->before =
                earlier->before + (earlier->options.columns ? 1 : earlier->options.picture.count);
    }
    status = generate_request_read(request);
    return status ? status : -1;
}

// ---- --prompts-file ----

static int set_from_json(struct generate_requests *requests, struct generate_options *options,
                         const cJSON *item) {
    char digits[40];
    const char *name = item->string;
    if (!*name || strchr(name, '='))
        return cli_misuse(requests->command, "\"%s\" is not the name of an option",
                          cli_show(name).text);
    if (cJSON_IsNull(item) || cJSON_IsFalse(item)) return 0;
    if (cJSON_IsTrue(item)) return set_option(requests, options, name, NULL);
    if (cJSON_IsString(item)) return set_option(requests, options, name, item->valuestring);
    if (!cJSON_IsNumber(item))
        return cli_misuse(requests->command, "\"%s\" needs a text, a number, true or false",
                          cli_show(name).text);
    if (fabs(item->valuedouble) > 0x1p53)
        return cli_misuse(requests->command, "\"%s\" is too large a number; write it as a text",
                          cli_show(name).text);
    snprintf(digits, sizeof digits, "%.17g", item->valuedouble);
    return set_option(requests, options, name, digits);
}

// Sets an option from each member; a list sets one several times.
static int set_members(struct generate_requests *requests, struct generate_options *options,
                       cJSON *object) {
    int status = 0;
    for (cJSON *member = object->child; member && status == 0; member = member->next) {
        if (!cJSON_IsArray(member)) {
            status = set_from_json(requests, options, member);
            continue;
        }
        for (cJSON *item = member->child; item && status == 0; item = item->next) {
            cJSON named = *item; // an item of a list has no name
            named.string = member->string;
            status = set_from_json(requests, options, &named);
        }
    }
    return status;
}

int generate_requests_set(struct generate_requests *requests, const char *name, const char *value) {
    return set_option(requests, &requests->options, name, value);
}

int generate_requests_set_members(struct generate_requests *requests, cJSON *object) {
    return set_members(requests, &requests->options, object);
}

static int parse_line(struct generate_requests *requests, const char *line, int argc, char **argv) {
    size_t bytes = strlen(line), end = 0;
    cJSON *object = NULL;
    enum cli_json parsed = cli_json_parse(&object, line, bytes, &end);
    struct generate_request *request = NULL;
    int status = 0;
    if (parsed == CLI_JSON_NO_MEMORY) return cli_fail("out of memory");
    end += parsed == CLI_JSON_GOOD ? strspn(line + end, " \t\r") : 0;
    if (parsed == CLI_JSON_BAD || end < bytes || !cJSON_IsObject(object))
        status = cli_fail("is no JSON object such as {\"prompt\": \"a cat\", \"seed\": 1}, from "
                          "byte %zu on",
                          cJSON_IsObject(object) || parsed == CLI_JSON_BAD ? end : 0);
    if (status == 0 && !(request = add_request(requests))) status = cli_fail("out of memory");
    if (status == 0) status = set_members(requests, &request->options, object);
    cJSON_Delete(object);
    return status ? status : finish_request(requests, argc, argv);
}

// Makes a request of every line that is not empty.
static int read_lines(struct generate_requests *requests, int argc, char **argv) {
    const char *path = requests->options.prompts_file;
    char place[PLACE_BYTES], *next;
    size_t bytes = 0;
    int status = -1, number = 0;
    requests->text = cli_read_text(strcmp(path, "-") == 0 ? NULL : path, MAX_FILE_BYTES, &bytes);
    if (!requests->text) return CLI_FAILED;
    if (strlen(requests->text) != bytes) return cli_fail("%s: holds a NUL byte", path);
    for (char *line = requests->text; line && status < 0; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        number++;
        if (!line[strspn(line, " \t\r")]) continue;
        snprintf(place, sizeof place, "%s, line %d", path, number);
        cli_set_place(place);
        if (requests->count == MAX_REQUESTS)
            status = cli_fail("is one too many; at most %d lines", MAX_REQUESTS);
        else
            status = parse_line(requests, line, argc, argv);
    }
    cli_set_place(NULL);
    if (status < 0 && !requests->count) return cli_fail("%s: holds no request", path);
    return status;
}

// ---- --xy ----

// Cuts a list of values apart, in place. A comma within double quotes is a part of a value.
static bool cut_values(struct generate_axis *axis, char *text) {
    char *to = text;
    bool quoted = false;
    axis->values[axis->count++] = to;
    for (const char *from = text; *from; from++) {
        if (*from == '"') {
            quoted = !quoted;
        } else if (*from != ',' || quoted) {
            *to++ = *from;
        } else {
            if (axis->count == CLI_LIST_MAX) return false;
            *to++ = 0;
            axis->values[axis->count++] = to;
        }
    }
    *to = 0;
    return !quoted;
}

// Returns the length of the text up to a ";" that is not within double quotes.
static size_t axis_length(const char *text) {
    bool quoted = false;
    size_t i = 0;
    for (; text[i] && (quoted || text[i] != ';'); i++) quoted = quoted != (text[i] == '"');
    return i;
}

// Reads "steps=10,20" or "steps=10,20;cfg-scale=3,7".
static int read_axes(struct generate_requests *requests) {
    const char *text = requests->options.xy;
    for (int i = 0; i < 2 && *text; i++) {
        struct generate_axis *axis = &requests->axes[i];
        size_t length = axis_length(text);
        axis->text = malloc(length + 1);
        if (!axis->text) return cli_fail("out of memory");
        memcpy(axis->text, text, length);
        axis->text[length] = 0;
        text += length + (text[length] == ';');
        axis->name = axis->text;
        char *equals = strchr(axis->text, '=');
        if (equals) *equals = 0;
        if (!equals || equals == axis->text || !cut_values(axis, equals + 1))
            return cli_misuse(requests->command,
                              "--xy needs options and their values, as "
                              "\"steps=10,20;cfg-scale=3,7\", not \"%s\"",
                              cli_show(requests->options.xy).text);
    }
    return *text || !requests->axes[0].count
               ? cli_misuse(requests->command, "--xy has one or two options, not \"%s\"",
                            cli_show(requests->options.xy).text)
               : 0;
}

static int add_cell(struct generate_requests *requests, int x, int y, int argc, char **argv) {
    const struct generate_axis *across = &requests->axes[0], *down = &requests->axes[1];
    struct generate_request *request = add_request(requests);
    if (!request) return cli_fail("out of memory");
    int status = set_option(requests, &request->options, across->name, across->values[x]);
    if (status == 0 && down->count)
        status = set_option(requests, &request->options, down->name, down->values[y]);
    if (status == 0) status = finish_request(requests, argc, argv);
    const struct generate_options *options = &request->options;
    if (status < 0 && (options->picture.count != 1 || options->columns || options->invert ||
                       options->save_latents))
        return cli_misuse(requests->command, "--xy makes one picture, without --batch-count, "
                                             "--grid, --invert and --save-latents");
    return status;
}

// Makes a request of every cell, row by row. Random seeds are the same in all.
static int make_cells(struct generate_requests *requests, int argc, char **argv) {
    int status = read_axes(requests);
    if (status) return status;
    int columns = requests->axes[0].count, rows = requests->axes[1].count;
    status = -1;
    for (int i = 0; i < columns * (rows ? rows : 1) && status < 0; i++) {
        status = add_cell(requests, i % columns, i / columns, argc, argv);
        if (status < 0) requests->options.seed = requests->list[0].options.seed;
        if (status < 0) requests->options.subseed = requests->list[0].options.subseed;
        requests->list[requests->count - 1].before = 0; // all are in one file
    }
    return status;
}

// ---- all kinds ----

int generate_requests_make(struct generate_requests *requests, int argc, char **argv) {
    const struct generate_options *options = &requests->options;
    if (options->prompts_file && options->xy)
        return cli_misuse(requests->command, "give --prompts-file or --xy, not both");
    int status;
    if (options->prompts_file)
        status = read_lines(requests, argc, argv);
    else if (options->xy)
        status = make_cells(requests, argc, argv);
    else if (add_request(requests))
        status = finish_request(requests, argc, argv);
    else
        status = cli_fail("out of memory");
    if (requests->count) requests->options = requests->list[0].options; // with defaults resolved
    return status;
}

int generate_requests_pictures(const struct generate_requests *requests) {
    int pictures = 0;
    for (size_t i = 0; i < requests->count; i++)
        pictures += requests->list[i].options.picture.count;
    return pictures;
}

void generate_requests_free(struct generate_requests *requests) {
    for (size_t i = 0; i < requests->count; i++) generate_request_free(&requests->list[i]);
    for (size_t i = 0; i < requests->num_arguments; i++) free(requests->arguments[i]);
    for (int i = 0; i < 2; i++) free(requests->axes[i].text);
    free(requests->list);
    free(requests->arguments);
    free(requests->text);
}
