// SPDX-License-Identifier: MIT
// fumarole selftest: does this GPU compute right?
#include "cli.h"

#include <fumarole/selftest.h>
#include <fumarole/tuning.h>

#include <ctype.h>
#include <string.h>

struct selftest_options {
    struct cli_device_options common;
    bool large, repeat;
};

#define FIELD(name)  offsetof(struct selftest_options, name)
#define COMMON(name) offsetof(struct selftest_options, common.name)

// clang-format off
static const struct cli_option options[] = {
    CLI_DEVICE_ROW(COMMON(device)),
    CLI_OP_ROW(COMMON(op)),
    {.name = "precision", .kind = CLI_CHOICE, .offset = COMMON(precision), .value = "TYPE",
     .choice = cli_storage_name, .help = "only this storage type:"},
    {.name = "variant", .kind = CLI_STRING, .offset = COMMON(variant), .value = "NAME",
     .help = "force a variant of the kernels; all: each one in turn"},
    {.name = "repeat", .kind = CLI_FLAG, .offset = FIELD(repeat),
     .help = "run every case twice: the same bits, or it is wrong"},
    {.name = "compile-only", .kind = CLI_FLAG, .offset = COMMON(compile_only),
     .help = "compile every kernel and run none; with -v what the driver makes of each"},
    {.name = "large", .kind = CLI_FLAG, .offset = FIELD(large),
     .help = "also the large shapes of real models (minutes on a CPU device)"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = COMMON(verbose),
     .help = "every case"},
    {0},
};
// clang-format on

struct counts {
    int ops, run, failed, skipped;
    const char *variant; // of the last operation
    // with --compile-only, of this operation and of all
    int kernels, all_kernels, spilling, all_spilling;
    double slowest;
    char slowest_name[64];
    bool compile_only, verbose;
};

// Registers that did not suffice go by many names; all of them contain one of these two words.
static bool is_spill(const struct fum_kernel_statistic *s) {
    char name[sizeof s->name];
    for (size_t i = 0; i < sizeof name; i++) name[i] = (char)tolower((unsigned char)s->name[i]);
    return s->value > 0 && (strstr(name, "spill") || strstr(name, "scratch"));
}

static void on_kernel(void *user, const struct fum_selftest_kernel *kernel) {
    struct counts *counts = user;
    bool spills = false;
    for (int i = 0; i < kernel->num_statistics; i++)
        spills = spills || is_spill(&kernel->statistics[i]);
    counts->kernels++;
    counts->spilling += spills;
    if (kernel->seconds > counts->slowest) {
        counts->slowest = kernel->seconds;
        snprintf(counts->slowest_name, sizeof counts->slowest_name, "%s.%s", kernel->shader,
                 fum_dtype_name(kernel->type));
    }
    if (!counts->verbose && !kernel->why) return;
    const char *verdict = spills ? "spills" : "ok";
    if (kernel->why) verdict = "BAD";
    cli_put(stdout, "  %-6s %s.%s", verdict, kernel->shader, fum_dtype_name(kernel->type));
    for (int i = 0; i < kernel->num_constants; i++)
        cli_put(stdout, "%s%u", i ? " " : " [", kernel->constants[i]);
    printf("]");
    if (kernel->subgroup) cli_put(stdout, " subgroup %u", kernel->subgroup);
    cli_put(stdout, " (%s, %s) %.3f s", kernel->op, kernel->name, kernel->seconds);
    for (int i = 0; i < kernel->num_statistics; i++)
        cli_put(stdout, ", %s %.10g", kernel->statistics[i].name, kernel->statistics[i].value);
    cli_put_line(stdout, "%s%s", kernel->why ? "  " : "", kernel->why ? kernel->why : "");
}

static void print_kernels(struct counts *counts) {
    cli_put(stdout, "  %d new kernels", counts->kernels);
    if (counts->spilling) cli_put(stdout, ", %d spill registers", counts->spilling);
    if (counts->kernels)
        cli_put(stdout, ", slowest %.2f s: %s", counts->slowest, counts->slowest_name);
    counts->all_kernels += counts->kernels;
    counts->all_spilling += counts->spilling;
    counts->kernels = counts->spilling = 0;
    counts->slowest = 0;
}

static const char *verdict_of(int run, int failed) {
    if (failed) return "BAD";
    return run ? "ok" : "-";
}

static void on_op(void *user, const struct fum_selftest_op *op) {
    struct counts *counts = user;
    if (op->variant && op->variant != counts->variant)
        cli_put_line(stdout, "In variant %s: %s", op->variant, fum_variant_summary(op->variant));
    counts->variant = op->variant;
    counts->ops++;
    counts->run += op->run;
    counts->failed += op->failed;
    counts->skipped += op->skipped;
    cli_put(stdout, "%-4s %-20s %4d cases", verdict_of(op->run, op->failed), op->name, op->run);
    if (op->failed) printf(counts->compile_only ? ", %d do not compile" : ", %d wrong", op->failed);
    if (op->skipped) cli_put(stdout, ", %d skipped", op->skipped);
    if (counts->compile_only) print_kernels(counts);
    if (op->worst_case)
        cli_put(stdout, "  worst %.2e of %.0e (%s, %s)", op->worst_error, op->worst_bound,
                op->worst_case, fum_dtype_name(op->worst_type));
    for (int i = 0; i < FUM_DTYPE_COUNT; i++)
        if (op->missing_types & 1u << i)
            cli_put(stdout, "  no %s here", fum_dtype_name((enum fum_dtype)i));
    cli_put_line(stdout, "  %.2f s", op->seconds);
    fflush(stdout);
}

static void on_case(void *user, const struct fum_selftest_case *result) {
    (void)user;
    cli_put_line(stdout, "  %-4s %s %s %s  error %.2e of %.0e%s%s",
                 verdict_of(result->ran, result->ran && !result->pass), result->op, result->name,
                 fum_dtype_name(result->type), result->error, result->bound,
                 result->why ? "  " : "", result->why ? result->why : "");
}

static void print_sum(const struct counts *counts, double seconds) {
    if (counts->ops == 0) return;
    if (counts->compile_only)
        cli_put_line(stdout,
                     "%d operations, %d cases, %d do not compile, %d skipped, %d kernels, %d spill "
                     "registers, %.1f s",
                     counts->ops, counts->run, counts->failed, counts->skipped, counts->all_kernels,
                     counts->all_spilling, seconds);
    else
        cli_put_line(stdout, "%d operations, %d cases, %d wrong, %d skipped, %.1f s", counts->ops,
                     counts->run, counts->failed, counts->skipped, seconds);
}

static int selftest(void *user, fum_device *device) {
    const struct selftest_options *values = user;
    const struct cli_device_options *common = &values->common;
    struct counts counts = {.compile_only = common->compile_only, .verbose = common->verbose};
    struct fum_error err = {0};
    cli_put_line(stdout, "%s %s",
                 common->compile_only ? "The kernels of every operation, compiled for"
                                      : "Every operation against plain C, on",
                 fum_device_get_info(device)->name);
    double started = fum_time_now();
    struct fum_selftest_params params = {
        .op = common->op,
        .types = cli_storage_mask(common->precision),
        .large = values->large,
        .variant = common->variant,
        .repeat = values->repeat,
        .user = &counts,
        .on_op = on_op,
        .on_case = common->verbose ? on_case : NULL,
        .on_kernel = on_kernel,
        .cancel = cli_cancel,
    };
    enum fum_result result = fum_selftest(device, &params, &err);
    print_sum(&counts, fum_time_now() - started);
    fflush(stdout);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct selftest_options values = {0};
    return cli_run_on_device(command, argc, argv, &values, selftest);
}

const struct cli_command cli_selftest = {
    .name = "selftest",
    .arguments = "[--device WHICH]",
    .summary = "whether this GPU computes right: every operation on hard shapes",
    .details = "Errors are relative RMS errors against plain C, each beside its bound. Exit status "
               "1 when one is over.\n",
    .options = options,
    .run = run,
};
