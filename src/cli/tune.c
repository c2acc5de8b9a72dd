// SPDX-License-Identifier: MIT
// fumarole tune: which tiles suit this device?
#include "cli.h"

#include <fumarole/tuning.h>

#include <string.h>

struct tune_options {
    const char *device, *op, *precision, *variant;
    double time;
    bool forget, verbose;
};

#define FIELD(name) offsetof(struct tune_options, name)

// clang-format off
static const struct cli_option options[] = {
    {.name = "device", .kind = CLI_STRING, .offset = FIELD(device), .value = "WHICH",
     .help = "number, uuid or part of a name, see fumarole devices"},
    {.name = "op", .kind = CLI_STRING, .offset = FIELD(op), .value = "NAME",
     .help = "only this operation"},
    {.name = "precision", .kind = CLI_CHOICE, .offset = FIELD(precision), .value = "TYPE",
     .choice = cli_storage_name, .help = "only this storage type (default: f32 and f16):"},
    {.name = "variant", .kind = CLI_STRING, .offset = FIELD(variant), .value = "NAME",
     .help = "of this variant of the kernels, see fumarole devices"},
    {.name = "time", .letter = 't', .kind = CLI_REAL, .offset = FIELD(time), .value = "SECONDS",
     .min = 1, .max = 1e6, .help = "about how long it may take (default 60)"},
    {.name = "forget", .kind = CLI_FLAG, .offset = FIELD(forget),
     .help = "drop what was measured before, and measure nothing"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "more about what happens"},
    {0},
};
// clang-format on

static void on_result(void *user, const struct fum_tune_result *r) {
    (void)user;
    bool same = strcmp(r->before, r->after) == 0;
    cli_put(stdout, "%-8s %-5s %-36s %2d choices  %-14s %9.3f ms", r->op, fum_dtype_name(r->type),
            r->name, r->choices, r->after, r->after_seconds * 1e3);
    if (r->flops > 0 && r->after_seconds > 0)
        cli_put(stdout, "  %8.1f GFLOP/s", r->flops / r->after_seconds * 1e-9);
    if (!same && r->after_seconds > 0)
        cli_put(stdout, "  %.2f times as fast as %s", r->before_seconds / r->after_seconds,
                r->before);
    printf("\n");
    fflush(stdout);
}

static int tune(const struct tune_options *values, fum_device *device) {
    struct fum_error err = {0};
    int measured = 0, status = cli_force_variant(device, values->variant);
    if (status) return status;
    if (values->forget) {
        enum fum_result result = fum_device_forget_tuning(device, &err);
        if (result != FUM_OK) return cli_fail_result(result, &err);
        cli_put_line(stdout, "Dropped what was kept for %s", fum_device_get_info(device)->name);
        return 0;
    }
    struct fum_tune_params params = {
        .op = values->op,
        .types = cli_storage_mask(values->precision),
        .seconds = values->time,
        .on_result = on_result,
        .cancel = cli_cancel,
    };
    enum fum_result result = fum_tune(device, &params, &measured, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    if (measured == 0)
        cli_put_line(stdout, "Nothing to choose on %s: its kernels have no tiles to measure",
                     fum_device_get_info(device)->name);
    else
        cli_put_line(stdout, "%d kinds of shape measured; %d choices kept for %s", measured,
                     fum_device_tuned(device), fum_device_get_info(device)->name);
    return 0;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct tune_options values = {0};
    int status = cli_parse(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc > 0)
        return cli_misuse(command, "takes no argument such as \"%s\"", cli_show(argv[0]).text);
    status = 0;
    struct fum_log log = cli_log(values.verbose);
    fum_device *device = cli_open_device(values.device, &log, &status);
    if (!device) return status;
    cli_catch_interrupt();
    status = tune(&values, device);
    fum_device_destroy(&device);
    return status;
}

const struct cli_command cli_tune = {
    .name = "tune",
    .arguments = "[--device WHICH]",
    .summary = "measures which tiles suit this GPU, and keeps them",
    .details = "Kept in the cache folder for this device and driver. Nothing is measured while a "
               "picture is made.\n",
    .options = options,
    .run = run,
};
