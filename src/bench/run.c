// SPDX-License-Identifier: MIT
// Runs the benchmark: the parts in order, the time shared among them.
#include "bench/bench.h"

#include "base/error.h"
#include "base/log.h"
#include "check/case.h"

#include <string.h>

// The report with the arena that holds all of it.
struct report {
    struct fum_bench_report report; // first: what callers see
    fum_arena *arena;
};

// Measures every limit once a round.
static enum fum_result measure_limits(struct fum_bench_run *run, int rounds,
                                      struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int round = 0; round < rounds && !result; round++) {
        fum_bench_progress(run, "limits", round, rounds);
        for (enum fum_limit i = 0; i < FUM_LIMIT_COUNT && !result; i++) {
            double rate;
            if (!fum_limits_has(&run->limits, i)) continue;
            result = fum_bench_check(run, err);
            if (!result) result = fum_limits_measure(&run->limits, i, &rate, err);
        }
    }
    return result;
}

static enum fum_result run_parts(struct fum_bench_run *run, struct fum_error *err) {
    unsigned parts = run->params.parts;
    fum_bench_progress(run, "limits, first run", 0, 1);
    enum fum_result result = fum_limits_create(&run->limits, run->device, err);
    if (!result)
        result = measure_limits(run, parts & FUM_BENCH_LIMITS ? run->params.repeats : 2, err);
    double left = run->params.seconds - (fum_time_now() - run->start);
    if (left < 1) left = 1;
    if (!result && parts & FUM_BENCH_MODELS)
        result = fum_bench_models(run, parts & FUM_BENCH_OPS ? left / 2 : left, err);
    left = run->params.seconds - (fum_time_now() - run->start);
    if (!result && parts & FUM_BENCH_OPS) result = fum_bench_ops(run, left < 1 ? 1 : left, err);
    return result;
}

static enum fum_result check_params(struct fum_bench_run *run,
                                    const struct fum_bench_params *params, struct fum_error *err) {
    if (params) run->params = *params;
    struct fum_bench_params *p = &run->params;
    if (!p->parts) p->parts = FUM_BENCH_LIMITS | FUM_BENCH_OPS | FUM_BENCH_MODELS;
    if (!p->types)
        p->types =
            run->info->type == FUM_DEVICE_CPU ? 1u << FUM_F32 : 1u << FUM_F32 | 1u << FUM_F16;
    if (p->seconds <= 0) p->seconds = 60;
    if (p->repeats <= 0) p->repeats = 9;
    if (run->info->planning_only)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s only plans: there is nothing to time",
                             run->info->name);
    if (p->op && !fum_op_find(p->op))
        return fum_error_set(err, FUM_ERR_ARG, "no op '%s' to time", p->op);
    return fum_bench_models_check(run, err);
}

enum fum_result fum_bench(fum_device *device, const struct fum_bench_params *params,
                          struct fum_bench_report **out, struct fum_error *err) {
    struct fum_bench_run run = {
        .device = device, .info = fum_device_get_info(device), .start = fum_time_now()};
    *out = NULL;
    enum fum_result result = check_params(&run, params, err);
    if (result) return result;
    struct report *report = fum_calloc(1, sizeof *report);
    if (report) report->arena = fum_arena_create();
    if (!report || !report->arena) {
        fum_free(report);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
    }
    run.arena = report->arena;
    run.report = &report->report;
    run.report->parts = run.params.parts;
    result = run_parts(&run, err);
    if (!result || result == FUM_ERR_CANCELLED) {
        struct fum_error ignored;
        enum fum_result finished =
            fum_limits_finish(&run.limits, run.report, run.arena, result ? &ignored : err);
        if (!result) result = finished;
    }
    run.report->complete = !result;
    run.report->seconds = fum_time_now() - run.start;
    fum_limits_free(&run.limits);
    *out = run.report;
    if (result && result != FUM_ERR_CANCELLED) fum_bench_report_free(out);
    return result;
}

void fum_bench_report_free(struct fum_bench_report **out) {
    if (!out || !*out) return;
    struct report *report = (struct report *)(void *)*out;
    fum_arena_destroy(&report->arena);
    fum_free(report);
    *out = NULL;
}
