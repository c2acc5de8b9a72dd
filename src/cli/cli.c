// SPDX-License-Identifier: MIT
// Reads options and opens devices for the subcommands.
#include "cli.h"

#include "help.h"

#include <fumarole/tuning.h>

#include <stdlib.h>
#include <string.h>

static void print_help(const struct cli_command *command) {
    char usage[300];
    snprintf(usage, sizeof usage, "usage: fumarole %s%s%s", command->name,
             command->arguments[0] ? " " : "", command->arguments);
    cli_help_text(usage, 4);
    putchar('\n');
    cli_help_text(command->summary, 0);
    putchar('\n');
    cli_help_options(command->options);
    if (command->details) {
        putchar('\n');
        cli_help_text(command->details, 0);
    }
}

void cli_print_version(void) {
    printf("fumarole %s\n", fum_version());
}

int cli_read_options(const struct cli_command *command, int *argc, char **argv, void *values) {
    static const struct cli_option help = {.name = "help", .letter = 'h'},
                                   version = {.name = "version", .letter = 'V'};
    struct cli_parse parse = {.options = command->options,
                              .more = command->more,
                              .foreign = command->foreign,
                              .values = values};
    if (cli_options_present(&parse, *argc, argv, &help)) {
        print_help(command);
        return 0;
    }
    if (cli_options_present(&parse, *argc, argv, &version)) {
        cli_print_version();
        return 0;
    }
    if (!cli_options_parse(&parse, argc, argv)) return cli_misuse(command, "%s", parse.message);
    if (parse.notes[0]) cli_put_line(stderr, "fumarole: no effect here: %s", parse.notes);
    return -1;
}

static fum_device *open_device(const char *select, bool compile_only, const struct fum_log *log,
                               int *status) {
    fum_device *device = NULL;
    struct fum_error err = {0};
    struct fum_device_params params = {.select = select,
                                       .log = log,
                                       .compile_only = compile_only,
                                       .validate = getenv("FUMAROLE_VALIDATE") != NULL};
    enum fum_result result = fum_device_create(&device, &params, &err);
    if (result != FUM_OK) *status = cli_fail_result(result, &err);
    return device;
}

fum_device *cli_open_device(const char *select, const struct fum_log *log, int *status) {
    return open_device(select, false, log, status);
}

int cli_run_on_device(const struct cli_command *command, int argc, char **argv, void *values,
                      int (*work)(void *values, fum_device *device)) {
    const struct cli_device_options *options = values;
    int status = cli_read_options(command, &argc, argv, values);
    if (status >= 0) return status;
    if (argc > 0)
        return cli_misuse(command, "takes no argument such as \"%s\"", cli_show(argv[0]).text);
    struct fum_log log = cli_log(options->verbose);
    fum_device *device = open_device(options->device, options->compile_only, &log, &status);
    if (!device) return status;
    cli_catch_interrupt();
    status = work(values, device);
    fum_device_destroy(&device);
    return status;
}

int cli_force_variant(fum_device *device, const char *name) {
    struct fum_error err = {0};
    enum fum_result result = name ? fum_device_force_variant(device, name, &err) : FUM_OK;
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static const struct {
    const char *name;
    unsigned mask;
} storage_types[] = {
    {"f32", 1u << FUM_F32},
    {"f16", 1u << FUM_F16},
    {"bf16", 1u << FUM_BF16},
    {"all", 1u << FUM_F32 | 1u << FUM_F16 | 1u << FUM_BF16},
};
enum { NUM_STORAGE_TYPES = sizeof storage_types / sizeof storage_types[0] };

const char *cli_storage_name(size_t index) {
    return index < NUM_STORAGE_TYPES ? storage_types[index].name : NULL;
}

unsigned cli_storage_mask(const char *precision) {
    for (int i = 0; precision && i < NUM_STORAGE_TYPES; i++)
        if (strcmp(precision, storage_types[i].name) == 0) return storage_types[i].mask;
    return 0;
}
