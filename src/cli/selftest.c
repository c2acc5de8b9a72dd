// fumarole selftest: does this GPU compute right?
#include "cli.h"

#include <fumarole/selftest.h>
#include <fumarole/tuning.h>

#include <string.h>

struct selftest_options {
    const char *device, *op, *precision, *variant;
    bool large, repeat, verbose;
};

#define FIELD(name) offsetof(struct selftest_options, name)

static const struct cli_option options[] = {
    {"device", 0, CLI_STRING, FIELD(device), "WHICH", "number, uuid or part of a name, see fumarole devices", 0, 0, NULL},
    {"op", 0, CLI_STRING, FIELD(op), "NAME", "only this operation", 0, 0, NULL},
    {"precision", 0, CLI_CHOICE, FIELD(precision), "TYPE", "only this storage type:", 0, 0, cli_storage_types},
    {"variant", 0, CLI_STRING, FIELD(variant), "NAME", "insist on a variant of the kernels; all: each one in turn", 0, 0,
     NULL},
    {"repeat", 0, CLI_FLAG, FIELD(repeat), NULL, "run every case twice: the same bits, or it is wrong", 0, 0, NULL},
    {"large", 0, CLI_FLAG, FIELD(large), NULL, "also the large shapes of real models (minutes on a CPU device)", 0, 0,
     NULL},
    {"verbose", 'v', CLI_FLAG, FIELD(verbose), NULL, "every case", 0, 0, NULL},
    {0},
};

struct counts {
    int ops, run, failed, skipped;
    const char *variant; // of the last operation
};

static void on_op(void *user, const struct fum_selftest_op *op) {
    struct counts *counts = user;
    if (op->variant && op->variant != counts->variant)
        printf("In variant %s: %s\n", op->variant, fum_variant_summary(op->variant));
    counts->variant = op->variant;
    counts->ops++;
    counts->run += op->run;
    counts->failed += op->failed;
    counts->skipped += op->skipped;
    printf("%-4s %-20s %4d cases", op->failed ? "BAD" : op->run ? "ok" : "-", op->name, op->run);
    if (op->failed)
        printf(", %d wrong", op->failed);
    if (op->skipped)
        printf(", %d skipped", op->skipped);
    if (op->worst_case)
        printf("  worst %.2e of %.0e (%s, %s)", op->worst_error, op->worst_bound, op->worst_case,
               fum_dtype_name(op->worst_type));
    for (int i = 0; i < FUM_DTYPE_COUNT; i++)
        if (op->missing_types & 1u << i)
            printf("  no %s here", fum_dtype_name((enum fum_dtype)i));
    printf("  %.2f s\n", op->seconds);
    fflush(stdout);
}

static void on_case(void *user, const struct fum_selftest_case *result) {
    (void)user;
    printf("  %-4s %s %s %s  error %.2e of %.0e%s%s\n", !result->ran ? "-" : result->pass ? "ok" : "BAD", result->op,
           result->name, fum_dtype_name(result->type), result->error, result->bound, result->why ? "  " : "",
           result->why ? result->why : "");
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct selftest_options values = {0};
    struct counts counts = {0};
    struct fum_error err = {0};
    int status = cli_parse(command, &argc, argv, &values);
    if (status >= 0)
        return status;
    if (argc > 0)
        return cli_misuse(command, "takes no argument such as \"%.60s\"", argv[0]);

    status = 0;
    struct fum_log log = cli_log(values.verbose);
    fum_device *device = cli_open_device(values.device, &log, &status);
    if (!device)
        return status;
    cli_catch_interrupt();
    printf("Every operation against plain C, on %s\n", fum_device_get_info(device)->name);
    double started = fum_time_now();
    struct fum_selftest_params params = {
        .op = values.op,
        .types = cli_storage_mask(values.precision),
        .large = values.large,
        .variant = values.variant,
        .repeat = values.repeat,
        .user = &counts,
        .on_op = on_op,
        .on_case = values.verbose ? on_case : NULL,
        .cancel = cli_cancel,
    };
    enum fum_result result = fum_selftest(device, &params, &err);
    if (counts.ops > 0)
        printf("%d operations, %d cases, %d wrong, %d skipped, %.1f s\n", counts.ops, counts.run, counts.failed,
               counts.skipped, fum_time_now() - started);
    fflush(stdout);
    if (result != FUM_OK)
        status = cli_fail_result(result, &err);
    fum_device_destroy(&device);
    return status;
}

const struct cli_command cli_selftest = {
    .name = "selftest",
    .arguments = "[--device WHICH]",
    .summary = "whether this GPU computes right: every operation on hard shapes",
    .details = "Errors are relative RMS errors against plain C, each beside its bound. Exit status 1 when one is over.\n",
    .options = options,
    .run = run,
};
