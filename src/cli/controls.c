// SPDX-License-Identifier: MIT
#include "controls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int put_image(const struct cli_command *command, struct fum_control *control,
                     const char *text) {
    (void)command;
    control->image.path = text;
    return 0;
}

static int put_preprocess(const struct cli_command *command, struct fum_control *control,
                          const char *text) {
    (void)command;
    control->preprocess = text;
    return 0;
}

// Reads a number from 0 to `max`. Returns 0, or an exit status.
static int read_number(const struct cli_command *command, const char *option, const char *text,
                       float max, float *number) {
    char *end;
    float value = strtof(text, &end);
    bool read = *text && strspn(text, "0123456789.") == strlen(text) && !*end;
    if (!read || !(value <= max))
        return cli_misuse(command, "--%s needs a number from 0 to %g, not \"%s\"", option,
                          (double)max, cli_show(text).text);
    *number = value;
    return 0;
}

static int put_strength(const struct cli_command *command, struct fum_control *control,
                        const char *text) {
    int status = read_number(command, "control-strength", text, 100, &control->strength);
    if (status == 0 && control->strength <= 0) control->strength = -1; // none
    return status;
}

static int put_start(const struct cli_command *command, struct fum_control *control,
                     const char *text) {
    return read_number(command, "control-start", text, 1, &control->start);
}

static int put_end(const struct cli_command *command, struct fum_control *control,
                   const char *text) {
    int status = read_number(command, "control-end", text, 1, &control->end);
    if (status || control->end > 0) return status;
    return cli_misuse(command, "--control-end must be above 0");
}

// A list of values about ControlNets.
struct value_list {
    struct cli_list *values;
    const char *fallback; // the text of the default; NULL: there is none
    int (*put)(const struct cli_command *command, struct fum_control *control, const char *text);
};

// Returns the ControlNet of a value: the last one that was named before it, or the first one. Lists
// that follow all names, with a value for each, are in their order.
static size_t find_owner(const struct cli_list *nets, const struct cli_list *values, size_t index) {
    size_t owner = 0;
    if (values->count == nets->count && values->order[0] > nets->order[nets->count - 1])
        return index;
    while (owner + 1 < nets->count && nets->order[owner + 1] <= values->order[index]) owner++;
    return owner;
}

static int put_values(struct cli_controls *controls, const struct cli_command *command,
                      const struct cli_list *nets, const struct value_list *list) {
    const char *texts[CLI_MAX_CONTROLS] = {0};
    struct cli_list *values = list->values;
    int status = 0;
    for (size_t i = 0; i < values->count && status == 0; i++) {
        size_t owner = find_owner(nets, values, i);
        texts[owner] = values->at[i];
        status = list->put(command, &controls->list[owner], values->at[i]);
    }
    if (status || !values->count) return status;
    for (size_t i = 0; i < nets->count; i++) {
        values->at[i] = texts[i] ? texts[i] : list->fallback;
        values->order[i] = nets->order[i];
    }
    values->count = nets->count;
    return 0;
}

static int check_pictures(const struct cli_controls *controls, const struct cli_command *command) {
    for (int i = 0; i < controls->count; i++)
        if (!controls->list[i].image.path)
            return cli_misuse(command, "--control-net %s needs --control-image FILE after it",
                              cli_show(controls->list[i].path).text);
    return 0;
}

int cli_controls_read(struct cli_controls *controls, const struct cli_command *command,
                      struct cli_control_options *o) {
    const struct value_list lists[] = {{&o->images, NULL, put_image},
                                       {&o->preprocess, "none", put_preprocess},
                                       {&o->strengths, "0.9", put_strength},
                                       {&o->starts, "0", put_start},
                                       {&o->ends, "1", put_end}};
    size_t given = o->save != NULL;
    int status = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) given += lists[i].values->count;
    if (given && !o->nets.count)
        return cli_misuse(command, "the options --control-... and --save-control need "
                                   "--control-net PATH");
    if (o->nets.count > CLI_MAX_CONTROLS)
        return cli_misuse(command, "at most %d ControlNets can be used", CLI_MAX_CONTROLS);
    controls->count = (int)o->nets.count;
    for (size_t i = 0; i < o->nets.count; i++)
        controls->list[i] = (struct fum_control){.path = o->nets.at[i]};
    for (size_t i = 0; i < sizeof lists / sizeof *lists && status == 0 && given; i++)
        status = put_values(controls, command, &o->nets, &lists[i]);
    return status ? status : check_pictures(controls, command);
}
