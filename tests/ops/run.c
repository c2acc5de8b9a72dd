// SPDX-License-Identifier: MIT
// Runs every op's cases on the device, in every storage type, with the validation layer on. Every
// case runs twice and must give the same bits.
//
// Usage: test-ops [OP] [--large] [--verbose] [variants]. `variants` runs the ops that have them, in
// each that the device can run.
#include <fumarole/selftest.h>

#include "ops/variants/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run, failed;

static void on_op(void *user, const struct fum_selftest_op *r) {
    (void)user;
    run += r->run;
    failed += r->failed;
    printf("%-8s %-20s %3d run %3d failed %3d skipped  worst %.2e of %.0e: %s %s  %.2f s\n",
           r->variant ? r->variant : "", r->name, r->run, r->failed, r->skipped, r->worst_error,
           r->worst_bound, fum_dtype_name(r->worst_type), r->worst_case ? r->worst_case : "-",
           r->seconds);
    fflush(stdout);
}

static void on_case(void *user, const struct fum_selftest_case *r) {
    const bool *verbose = user;
    if (r->why)
        printf("  %s, %s '%s' in %s: %s\n", r->ran ? "FAILED" : "not run", r->op, r->name,
               fum_dtype_name(r->type), r->why);
    else if (*verbose)
        printf("  %s '%s' in %s: %.2e of %.0e, %.3f s, gpu %.3f ms\n", r->op, r->name,
               fum_dtype_name(r->type), r->error, r->bound, r->seconds, r->gpu_seconds * 1e3);
}

static void on_log(void *user, enum fum_log_level level, const char *message) {
    (void)user, (void)level;
    printf("  %s\n", message);
}

int main(int argc, char **argv) {
    struct fum_log log = {.fn = on_log, .level = FUM_LOG_WARN};
    struct fum_selftest_params params = {.on_op = on_op, .on_case = on_case, .repeat = true};
    struct fum_error err = {0};
    fum_device *device = NULL;
    bool verbose = false;
    params.user = &verbose;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--large"))
            params.large = true;
        else if (!strcmp(argv[i], "--verbose"))
            verbose = true;
        else if (!strcmp(argv[i], "variants"))
            params.variant = "all";
        else
            params.op = argv[i];
    }
    if (fum_device_create(&device, &(struct fum_device_params){.log = &log, .validate = true},
                          &err)) {
        printf("no device: %s\n", err.text);
        return getenv("FUM_REQUIRE_DEVICE") ? EXIT_FAILURE : 77;
    }
    bool each = params.variant && !params.op;
    enum fum_result r = each ? FUM_OK : fum_selftest(device, &params, &err);
    for (int i = 0; each && i < fum_op_count && !r; i++) {
        params.op = fum_ops[i]->name;
        if (fum_variant_serves(&fum_variant_plain, fum_ops[i]))
            r = fum_selftest(device, &params, &err);
    }
    int messages = fum_device_validation_messages(device);
    if (r) printf("%s\n", err.text);
    if (messages) printf("the validation layer gave %d messages\n", messages);
    fum_device_destroy(&device);
    printf("%d passed, %d failed\n", run - failed, failed);
    return r || messages ? EXIT_FAILURE : EXIT_SUCCESS;
}
