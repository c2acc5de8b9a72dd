// SPDX-License-Identifier: MIT
// fumarole tune: which tiles suit this device?
#include "cli.h"

#include <fumarole/tuning.h>

#include <string.h>

struct tune_options {
    struct cli_device_options common;
    double time;
    bool forget;
};

#define FIELD(name)  offsetof(struct tune_options, name)
#define COMMON(name) offsetof(struct tune_options, common.name)

// clang-format off
static const struct cli_option options[] = {
    CLI_DEVICE_ROW(COMMON(device)),
    CLI_OP_ROW(COMMON(op)),
    {.name = "precision", .kind = CLI_CHOICE, .offset = COMMON(precision), .value = "TYPE",
     .choice = cli_storage_name, .help = "only this storage type (default: f32 and f16):"},
    CLI_VARIANT_ROW(COMMON(variant)),
    {.name = "time", .letter = 't', .kind = CLI_REAL, .offset = FIELD(time), .value = "SECONDS",
     .min = 1, .max = 1e6, .help = "about how long it may take (default 60)"},
    {.name = "forget", .kind = CLI_FLAG, .offset = FIELD(forget),
     .help = "drop what was measured before, and measure nothing"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = COMMON(verbose),
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

static int forget(fum_device *device) {
    struct fum_error err = {0};
    enum fum_result result = fum_device_forget_tuning(device, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    cli_put_line(stdout, "Dropped what was kept for %s", fum_device_get_info(device)->name);
    return 0;
}

static int tune(void *user, fum_device *device) {
    const struct tune_options *values = user;
    struct fum_error err = {0};
    int measured = 0, status = cli_force_variant(device, values->common.variant);
    if (status) return status;
    if (values->forget) return forget(device);
    struct fum_tune_params params = {
        .op = values->common.op,
        .types = cli_storage_mask(values->common.precision),
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
    return cli_run_on_device(command, argc, argv, &values, tune);
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
