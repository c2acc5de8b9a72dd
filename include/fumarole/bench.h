// SPDX-License-Identifier: MIT
// Measures how fast a device is, and how near its own limits every operation and model comes.
#ifndef FUMAROLE_BENCH_H
#define FUMAROLE_BENCH_H

#include <fumarole/device.h>
#include <fumarole/pipeline.h>

#ifdef __cplusplus
extern "C" {
#endif

// Repeated measurements. Repeats are spread over the whole run, one of each case in turn, so that a
// slow minute of the machine falls on all cases. The median of an even count is the mean of the
// middle two. `low` and `high` are the quartiles.
struct fum_bench_samples {
    int count; // 0: not measured; the other fields are then 0
    const double *values;
    double median, low, high;
};

// One limit of the device: "fma f32" in GFLOP/s, "copy" in GB/s, "dispatch" in us.
struct fum_bench_limit {
    const char *name, *unit;
    const char *what;     // how it was measured, in a few words
    bool lower_is_better; // times
    struct fum_bench_samples value;
};

// One operation on one shape.
struct fum_bench_op {
    const char *op, *name;
    enum fum_dtype type; // storage type of values
    double flops;        // 0: the operation only moves values
    double bytes;        // inputs and output, each once
    int dispatches, barriers;
    struct fum_bench_samples seconds;
    // Shares of the limits measured right before and after each repeat, so that other work on the
    // machine does not change them. of_fma is the share of the multiply-add rate in f32. of_roof is
    // the share of the roofline. That is the least time that the arithmetic, at the best rate of
    // its type, and the bytes, at the rate of memory, allow. Over 1: the caches hold the bytes, or
    // the kernel needs less arithmetic than the plain formula that is counted (Winograd). Without
    // arithmetic of_fma counts the output's elements instead, which only serves to compare runs on
    // one device.
    struct fum_bench_samples of_fma, of_roof;
    bool memory_bound; // the side of the roofline
};

// A whole model with random weights, one picture at a time.
struct fum_bench_model {
    const char *name;  // "sd1.5"
    int width, height; // pixels
    enum fum_dtype type;
    int steps;        // of a picture, for `pictures`
    const char *note; // why it was not measured, or only in part; NULL: all is measured
    struct fum_bench_samples text;   // seconds: prompt and negative prompt
    struct fum_bench_samples step;   // one step with guidance, the sampler's update included
    struct fum_bench_samples decode; // latents to pixels
    struct fum_bench_samples encode; // pixels to latents
    struct fum_bench_samples host;   // processor time of the calling thread in one step
    struct fum_bench_samples step_of_fma, decode_of_fma; // as above
    double load_seconds; // weights made, uploaded and kernels compiled; not repeated
    // per second, of the medians: text + steps · step + decode; 0: unknown
    double pictures;
    double step_flops, decode_flops, encode_flops;
    int dispatches, barriers;           // of a step
    uint64_t planned_unet, planned_vae; // device memory of weights and activations
    uint64_t memory_peak;               // largest allocation, all components together
};

enum { FUM_BENCH_LIMITS = 1, FUM_BENCH_OPS = 2, FUM_BENCH_MODELS = 4 };

struct fum_bench_report {
    unsigned parts;   // requested parts
    bool complete;    // false: stopped early
    int ops_left_out; // left out because they take too long for the given time
    double seconds;   // duration of the run
    int num_limits, num_ops, num_models;
    const struct fum_bench_limit *limits;
    const struct fum_bench_op *ops;
    const struct fum_bench_model *models;
};

struct fum_bench_params {
    unsigned parts; // mask of the values above; 0: all
    const char *op; // NULL: all
    // mask 1 << dtype of FUM_F32, FUM_F16, FUM_BF16; 0: f32, and f16 on devices other than CPUs
    unsigned types;
    // Names of models with commas between ("sd1.5,sdxl"; fum_bench_model_name lists them), or
    // "all". NULL: those that the device can run in the time.
    const char *models;
    // of the pictures; 0: the model's own (named models on CPU devices: at most 256)
    int width, height;
    enum fum_precision precision; // of the models
    // approximate duration; 0: 60. Cases that do not fit are left out and counted
    double seconds;
    int repeats; // at most this many, of everything; 0: 9
    const struct fum_log *log;
    void *user;
    // Reports from time to time what is being measured: `done` of `total`, in parts of that round.
    // May be NULL.
    void (*on_progress)(void *user, const char *what, int done, int total);
    // true stops and keeps the results so far; called between measurements. May be NULL
    bool (*cancel)(void *user);
};

// Returns the index-th model's name, or NULL past the last.
FUM_API const char *fum_bench_model_name(int index);

// Measures the device on the calling thread, which also runs the callbacks. Uses the device alone.
// `params` may be NULL. *report belongs to the caller. Free it with fum_bench_report_free.
// FUM_ERR_CANCELLED comes with the results so far, other errors with NULL. FUM_ERR_ARG: no such op
// or model.
FUM_API enum fum_result fum_bench(fum_device *device, const struct fum_bench_params *params,
                                  struct fum_bench_report **report, struct fum_error *err);
// Frees a report and clears the pointer, which may be NULL already.
FUM_API void fum_bench_report_free(struct fum_bench_report **report);

#ifdef __cplusplus
}
#endif

#endif
