// SPDX-License-Identifier: MIT
// Declares the benchmark's insides. A probe is a recorded command that can be timed again and
// again. Everything is measured by probes, in rounds.
#ifndef FUM_BENCH_BENCH_H
#define FUM_BENCH_BENCH_H

#include <fumarole/bench.h>

#include "base/alloc.h"
#include "graph/op.h"

// ---- samples ----

// Values while they are collected.
struct fum_samples {
    double *values;
    size_t count, capacity;
};
bool fum_samples_add(struct fum_samples *samples, double value); // false: out of memory
void fum_samples_free(struct fum_samples *samples);
// Returns the median so far, or 0 without samples.
double fum_samples_median(const struct fum_samples *samples);
// Stores median, quartiles and a copy of the values in the arena. False: out of memory.
bool fum_samples_finish(const struct fum_samples *samples, fum_arena *arena,
                        struct fum_bench_samples *out);

// ---- probes ----

struct fum_probe {
    fum_command *command;
    double amount; // floating-point operations, bytes or dispatches of one run
    int slot;      // the timestamp at its end; the one at its start is 0
};

void fum_probe_free(struct fum_probe *probe);
// Runs it once. *seconds is measured with the device's clock, or the host's if the device has none.
enum fum_result fum_probe_run(fum_device *device, const struct fum_probe *probe, double *seconds,
                              struct fum_error *err);

// ---- the device's limits ----

enum fum_limit {
    FUM_LIMIT_FMA_F32 = 0,
    FUM_LIMIT_FMA_F16,
    FUM_LIMIT_DOT_S8,
    FUM_LIMIT_MATRIX_F16,
    FUM_LIMIT_MATRIX_BF16,
    FUM_LIMIT_READ,
    FUM_LIMIT_WRITE,
    FUM_LIMIT_COPY,
    FUM_LIMIT_TRANSFER,
    FUM_LIMIT_ROWS,
    FUM_LIMIT_CACHED,
    FUM_LIMIT_BROADCAST,
    FUM_LIMIT_SHARED,
    FUM_LIMIT_DISPATCH,
    FUM_LIMIT_BARRIER,
    FUM_LIMIT_SUBMIT,
    FUM_LIMIT_COUNT,
};

// What measures limits: two large buffers, and a probe for each limit that the device has.
struct fum_limits {
    fum_device *device;
    fum_buffer *x, *y;
    struct fum_probe probe[FUM_LIMIT_COUNT];
    struct fum_samples samples[FUM_LIMIT_COUNT]; // rates, or seconds
};
enum fum_result fum_limits_create(struct fum_limits *limits, fum_device *device,
                                  struct fum_error *err);
void fum_limits_free(struct fum_limits *limits);
// Measures a limit once more. *rate: FLOP or bytes per second, or seconds for limits that are
// times.
enum fum_result fum_limits_measure(struct fum_limits *limits, enum fum_limit which, double *rate,
                                   struct fum_error *err);
bool fum_limits_has(const struct fum_limits *limits, enum fum_limit which);
// Returns the best arithmetic rate for values stored as dtype, over the f32 rate; 1 if only f32 was
// measured.
double fum_limits_gain(const struct fum_limits *limits, enum fum_dtype dtype);
// Returns the best rate of large memory, by reading, writing and copying, over that of reading.
double fum_limits_memory_gain(const struct fum_limits *limits);
enum fum_result fum_limits_finish(const struct fum_limits *limits, struct fum_bench_report *report,
                                  fum_arena *arena, struct fum_error *err);

// ---- a run ----

struct fum_bench_run {
    fum_device *device;
    struct fum_bench_params params; // defaults filled in
    const struct fum_device_info *info;
    struct fum_limits limits;
    fum_arena *arena; // the report's
    struct fum_bench_report *report;
    double start;
};

// ---- the meter ----

// Returns FUM_ERR_CANCELLED if the caller cancels.
enum fum_result fum_bench_check(const struct fum_bench_run *run, struct fum_error *err);
void fum_bench_progress(const struct fum_bench_run *run, const char *what, int done, int total);

// The limits beside something that is timed: fma in f32 and memory reads.
struct fum_guard {
    double fma, memory;
};
// Measures the limits, for up to a tenth of a second beside something that took `seconds`. On a
// busy machine a short look would catch a free or a taken moment, not the mean.
enum fum_result fum_measure_guard(struct fum_bench_run *run, double seconds,
                                  struct fum_guard *guard, struct fum_error *err);

// ---- the parts ----

// Fills its part of the report, even if it ends early; so does fum_bench_models.
enum fum_result fum_bench_ops(struct fum_bench_run *run, double seconds, struct fum_error *err);
// Checks that the requested models are known.
enum fum_result fum_bench_models_check(const struct fum_bench_run *run, struct fum_error *err);
enum fum_result fum_bench_models(struct fum_bench_run *run, double seconds, struct fum_error *err);

#endif
