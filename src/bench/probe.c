// SPDX-License-Identifier: MIT
// Collects measured times, and reads those of probes: commands between two timestamps.
#include "bench/bench.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

bool fum_samples_add(struct fum_samples *s, double value) {
    if (!fum_grow((void **)&s->values, &s->capacity, s->count, sizeof *s->values)) return false;
    s->values[s->count++] = value;
    return true;
}

void fum_samples_free(struct fum_samples *s) {
    fum_free(s->values);
    *s = (struct fum_samples){0};
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Returns a quantile of sorted values, in proportion between two of them.
static double quantile(const double *sorted, size_t count, double at) {
    double place = at * (double)(count - 1);
    size_t below = (size_t)place, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

double fum_samples_median(const struct fum_samples *s) {
    double *sorted = s->count ? fum_alloc(s->count, sizeof *sorted) : NULL;
    if (!sorted) return s->count ? s->values[0] : 0;
    memcpy(sorted, s->values, s->count * sizeof *sorted);
    qsort(sorted, s->count, sizeof *sorted, by_value);
    double median = quantile(sorted, s->count, 0.5);
    fum_free(sorted);
    return median;
}

bool fum_samples_finish(const struct fum_samples *s, fum_arena *arena,
                        struct fum_bench_samples *out) {
    *out = (struct fum_bench_samples){0};
    if (!s->count) return true;
    double *values = fum_arena_alloc(arena, s->count, sizeof *values);
    double *sorted = fum_alloc(s->count, sizeof *sorted);
    if (values && sorted) {
        memcpy(values, s->values, s->count * sizeof *values);
        memcpy(sorted, s->values, s->count * sizeof *sorted);
        qsort(sorted, s->count, sizeof *sorted, by_value);
        *out = (struct fum_bench_samples){.count = (int)s->count,
                                          .values = values,
                                          .median = quantile(sorted, s->count, 0.5),
                                          .low = quantile(sorted, s->count, 0.25),
                                          .high = quantile(sorted, s->count, 0.75)};
    }
    fum_free(sorted);
    return values && sorted;
}

void fum_probe_free(struct fum_probe *probe) {
    fum_command_destroy(&probe->command);
    *probe = (struct fum_probe){0};
}

enum fum_result fum_probe_run(fum_device *device, const struct fum_probe *probe, double *seconds,
                              struct fum_error *err) {
    uint64_t ticket;
    double start = fum_time_now(), first = 0, last = 0;
    enum fum_result result = fum_command_submit(probe->command, &ticket, err);
    if (!result) result = fum_device_wait(device, ticket, err);
    *seconds = fum_time_now() - start;
    if (result || fum_device_get_info(device)->timestamp_period <= 0) return result;
    result = fum_command_read_timestamp(probe->command, 0, &first, err);
    if (!result) result = fum_command_read_timestamp(probe->command, probe->slot, &last, err);
    // A clock that did not move (some drivers stamp at the end of the submission) says nothing.
    if (!result && last > first) *seconds = (last - first) * 1e-9;
    return result;
}
