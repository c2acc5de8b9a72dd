// SPDX-License-Identifier: MIT
// fumarole bench: measures how close everything comes to the device's own limits.
#include "report/report.h"

#include "output.h"
#include "progress.h"

#include <fumarole/tuning.h>

#include <string.h>

struct bench_options {
    const char *device, *variant, *op, *precision, *models, *json, *html;
    int width, height, repeats;
    double time;
    bool limits, ops, compare, no_clobber, quiet, verbose;
};

#define FIELD(name) offsetof(struct bench_options, name)

// clang-format off
static const struct cli_option options[] = {
    CLI_HEADING_ROW("What to measure"),
    {.name = "limits", .kind = CLI_FLAG, .offset = FIELD(limits),
     .help = "only the device's limits (with --ops, --models: these too)"},
    {.name = "ops", .kind = CLI_FLAG, .offset = FIELD(ops), .help = "only the operations"},
    {.name = "models", .kind = CLI_STRING, .offset = FIELD(models), .value = "NAMES",
     .help = "only these whole models: emoji,sd1.5,sd2.1,sdxl or all"},
    CLI_OP_ROW(FIELD(op)),
    {.name = "precision", .kind = CLI_CHOICE, .offset = FIELD(precision), .value = "TYPE",
     .choice = cli_storage_name, .help = "only this storage type:"},
    {.name = "width", .letter = 'W', .kind = CLI_INT, .offset = FIELD(width), .value = "N",
     .min = 8, .max = FUM_MAX_SIDE, .help = "width of the models' pictures in pixels"},
    {.name = "height", .letter = 'H', .kind = CLI_INT, .offset = FIELD(height), .value = "N",
     .min = 8, .max = FUM_MAX_SIDE, .help = "height of the models' pictures in pixels"},
    {.name = "time", .letter = 't', .kind = CLI_REAL, .offset = FIELD(time), .value = "SECONDS",
     .min = 1, .max = 1e6, .help = "about how long it may take (default 60)"},
    {.name = "repeats", .kind = CLI_INT, .offset = FIELD(repeats), .value = "N", .min = 1,
     .max = 1000, .help = "at most, of everything (default 9)"},
    {.name = "compare", .kind = CLI_FLAG, .offset = FIELD(compare),
     .help = "measure nothing: set the reports A.json B.json … side by side"},
    CLI_HEADING_ROW("Device"),
    CLI_DEVICE_ROW(FIELD(device)),
    CLI_VARIANT_ROW(FIELD(variant)),
    CLI_HEADING_ROW("Report"),
    {.name = "json", .kind = CLI_PATH, .offset = FIELD(json), .value = "FILE",
     .help = "write the report with all repeats to this file (- is standard output)"},
    {.name = "html", .kind = CLI_PATH, .offset = FIELD(html), .value = "FILE",
     .help = "write it as a page with a roofline plot; with --compare: all reports"},
    {.name = "no-clobber", .kind = CLI_FLAG, .offset = FIELD(no_clobber),
     .help = "refuse to replace files that are there"},
    CLI_HEADING_ROW("Messages"),
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(quiet),
     .help = "no progress"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "more about what happens"},
    {0},
};
// clang-format on

struct watch {
    struct cli_progress progress;
    char what[64];
    struct cli_clock clock;
    const struct fum_device_info *info;
};

// Shows a bar on a terminal, and elsewhere one line for each part.
static void on_progress(void *user, const char *what, int done, int total) {
    struct watch *watch = user;
    cli_clock_sample(&watch->clock, watch->info);
    bool same = strncmp(watch->what, what, sizeof watch->what - 1) == 0;
    if (!same) {
        watch->progress.calls = 0;
        snprintf(watch->what, sizeof watch->what, "%s", what);
    }
    if (watch->progress.bar)
        cli_progress_step(&watch->progress, what, done, total, 0);
    else if (!same && !watch->progress.quiet)
        cli_put_line(stderr, "%s", what);
}

// Returns the precision of the models for a --precision; "all" concerns the operations alone.
static enum fum_precision model_precision(const char *precision) {
    switch (cli_storage_mask(precision)) {
    case 1u << FUM_F32: return FUM_PRECISION_F32;
    case 1u << FUM_F16: return FUM_PRECISION_F16;
    case 1u << FUM_BF16: return FUM_PRECISION_BF16;
    default: return FUM_PRECISION_AUTO;
    }
}

// Checks before the long work that the reports can be written.
static int check_outputs(const struct bench_options *values) {
    struct cli_outputs outputs = {.command = &cli_bench, .no_clobber = values->no_clobber};
    int status = cli_outputs_add(&outputs, values->json);
    if (status == 0) status = cli_outputs_add(&outputs, values->html);
    return cli_outputs_check(&outputs, status);
}

static int write_reports(const struct bench_options *values, const struct fum_bench_report *report,
                         const struct watch *watch) {
    cJSON *json = cli_bench_json(report, watch->info, &watch->clock);
    const char *name = watch->info->name;
    if (!json) return cli_fail("out of memory for the report");
    if (values->variant) cJSON_AddStringToObject(json, "variant", values->variant);
    int status = values->json ? cli_bench_write_json(values->json, json) : 0;
    if (status == 0 && values->html)
        status = cli_bench_write_html(values->html, (const cJSON *const *)&json, &name, 1);
    cJSON_Delete(json);
    return status;
}

// Measures the tiles of a device at its first bench, before anything that uses them: figures with
// untuned tiles are worth little.
static int tune_first(const struct bench_options *values, fum_device *device) {
    struct fum_tune_params params = {.types = cli_storage_mask(values->precision),
                                     .cancel = cli_cancel};
    struct fum_error err = {0};
    int measured = 0;
    bool only_limits = values->limits && !values->ops && !values->op && !values->models;
    if (only_limits || fum_device_tuned(device) > 0) return 0;
    enum fum_result result = fum_tune(device, &params, &measured, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    if (measured && !values->quiet)
        fprintf(stderr,
                "Tiles for %d kinds of shape measured and kept; fumarole tune does it again\n",
                measured);
    return 0;
}

static unsigned parts_of(const struct bench_options *values) {
    unsigned parts = 0;
    if (values->limits) parts |= FUM_BENCH_LIMITS;
    if (values->ops || values->op) parts |= FUM_BENCH_OPS;
    if (values->models) parts |= FUM_BENCH_MODELS;
    return parts;
}

// Runs the benchmark on an open device, and reports what was measured even if it ends early.
static int run_bench(const struct bench_options *values, fum_device *device,
                     const struct fum_log *log) {
    struct fum_error err = {0};
    struct watch watch = {.info = fum_device_get_info(device)};
    struct fum_bench_params params = {
        .parts = parts_of(values),
        .op = values->op,
        .types = cli_storage_mask(values->precision),
        .models = values->models,
        .width = values->width,
        .height = values->height,
        .precision = model_precision(values->precision),
        .seconds = values->time,
        .repeats = values->repeats,
        .log = log,
        .user = &watch,
        .on_progress = on_progress,
        .cancel = cli_cancel,
    };
    struct fum_bench_report *report = NULL;
    int status = 0;
    cli_progress_begin(&watch.progress, values->quiet);
    enum fum_result result = fum_bench(device, &params, &report, &err);
    cli_progress_clear(&watch.progress);
    if (report) cli_bench_print(report, watch.info);
    fflush(cli_report_stream());
    if (report && (values->json || values->html)) status = write_reports(values, report, &watch);
    if (result != FUM_OK) status = cli_fail_result(result, &err);
    fum_bench_report_free(&report);
    return status;
}

static int measure(const struct bench_options *values) {
    int status = check_outputs(values);
    if (status != 0) return status;
    struct fum_log log = cli_log(values->verbose);
    fum_device *device = cli_open_device(values->device, &log, &status);
    if (!device) return status;
    cli_catch_interrupt();
    status = cli_force_variant(device, values->variant);
    if (status == 0) status = tune_first(values, device);
    if (status == 0) status = run_bench(values, device, &log);
    fum_device_destroy(&device);
    return status;
}

static int compare(const struct bench_options *values, char *const *paths, int count) {
    cJSON *reports[CLI_BENCH_MAX_REPORTS] = {NULL};
    int status = check_outputs(values);
    for (int i = 0; i < count && status == 0; i++)
        status = (reports[i] = cli_bench_read(paths[i])) ? 0 : CLI_FAILED;
    if (status == 0)
        status =
            cli_bench_compare((const cJSON *const *)reports, (const char *const *)paths, count);
    if (status == 0 && values->html)
        status = cli_bench_write_html(values->html, (const cJSON *const *)reports,
                                      (const char *const *)paths, count);
    for (int i = 0; i < count; i++) cJSON_Delete(reports[i]);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct bench_options values = {0};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (!values.compare && argc > 0)
        return cli_misuse(command, "takes no argument such as \"%s\" without --compare",
                          cli_show(argv[0]).text);
    if (values.compare && (argc < 2 || argc > CLI_BENCH_MAX_REPORTS))
        return cli_misuse(command, "--compare takes 2 to %d reports, not %d", CLI_BENCH_MAX_REPORTS,
                          argc);
    if (values.compare && values.json)
        return cli_misuse(command, "--compare measures nothing that --json could write");
    return values.compare ? compare(&values, argv, argc) : measure(&values);
}

const struct cli_command cli_bench = {
    .name = "bench",
    .arguments = "[--limits] [--ops] [--models NAMES] | --compare A.json B.json …",
    .summary = "how fast this GPU is, and how near its own limits every operation and model comes",
    .details = "Models have random weights, so nothing is needed but the program. Ctrl-C ends with "
               "what was measured so far.\n",
    .options = options,
    .run = run,
};
