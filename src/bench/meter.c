// SPDX-License-Identifier: MIT
// Serves everything that is timed: cancelling, progress, and the limits beside a measurement.
#include "bench/bench.h"

#include "base/error.h"

enum fum_result fum_bench_check(const struct fum_bench_run *run, struct fum_error *err) {
    if (run->params.cancel && run->params.cancel(run->params.user))
        return fum_error_set(err, FUM_ERR_CANCELLED, "the benchmark was stopped");
    return FUM_OK;
}

void fum_bench_progress(const struct fum_bench_run *run, const char *what, int done, int total) {
    if (run->params.on_progress) run->params.on_progress(run->params.user, what, done, total);
}

// Measures the mean rate over `seconds`, in at least one run.
static enum fum_result mean_rate(struct fum_limits *limits, enum fum_limit which, double seconds,
                                 double *rate, struct fum_error *err) {
    double took = 0, amount = 0;
    enum fum_result result = FUM_OK;
    do {
        double one = 0;
        if ((result = fum_limits_measure(limits, which, &one, err))) return result;
        amount += limits->probe[which].amount;
        took += limits->probe[which].amount / one;
    } while (took < seconds);
    *rate = amount / took;
    return FUM_OK;
}

enum fum_result fum_measure_guard(struct fum_bench_run *run, double seconds,
                                  struct fum_guard *guard, struct fum_error *err) {
    double most = 0.1, share = 0.1 * seconds < most ? 0.1 * seconds : most;
    enum fum_result result = mean_rate(&run->limits, FUM_LIMIT_FMA_F32, share, &guard->fma, err);
    return result ? result
                  : mean_rate(&run->limits, FUM_LIMIT_READ, share / 2, &guard->memory, err);
}
