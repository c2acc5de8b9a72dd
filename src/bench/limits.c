// SPDX-License-Identifier: MIT
// Measures the device's own limits with small shaders. These are arithmetic in registers, memory by
// pattern, shared memory, and the cost of a dispatch, a barrier and a submission.
#include "bench/bench.h"

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"

#include <math.h>
#include <string.h>

enum { DISPATCHES = 64, BROADCAST_QUADS = 1024 };

// How one limit is measured.
struct recipe {
    const char *name, *unit, *what, *shader;
    enum fum_dtype dtype;
    double scale; // from the rate, or the seconds, to the unit
    bool time;
    uint32_t pattern; // of bench_memory
    int moved;        // times that a quad crosses the bus
};

#define RATE(its_shader, type, its_unit, says) \
    .shader = its_shader, .dtype = type, .unit = its_unit, .what = says, .scale = 1e-9
#define MEMORY(number, times, says) \
    RATE("bench_memory", FUM_F32, "GB/s", says), .pattern = number, .moved = times
#define TIME(says)                                                                       \
    .shader = "bench_empty", .dtype = FUM_F32, .unit = "us", .what = says, .scale = 1e6, \
    .time = true

static const struct recipe recipes[FUM_LIMIT_COUNT] = {
    [FUM_LIMIT_FMA_F32] = {.name = "fma f32",
                           RATE("bench_fma", FUM_F32, "GFLOP/s",
                                "multiply-add chains in registers")},
    [FUM_LIMIT_FMA_F16] = {.name = "fma f16",
                           RATE("bench_fma", FUM_F16, "GFLOP/s", "the same in f16, in pairs")},
    [FUM_LIMIT_DOT_S8] = {.name = "dot s8",
                          RATE("bench_dot", FUM_F32, "GOP/s", "dot products of four packed bytes")},
    [FUM_LIMIT_MATRIX_F16] = {.name = "matrix f16",
                              RATE("bench_matrix", FUM_F16, "GFLOP/s",
                                   "matrices of f16 in registers, f32 sums")},
    [FUM_LIMIT_MATRIX_BF16] = {.name = "matrix bf16",
                               RATE("bench_matrix", FUM_BF16, "GFLOP/s", "the same of bf16")},
    [FUM_LIMIT_READ] = {.name = "read", MEMORY(0, 1, "neighbouring lanes, 16 bytes each")},
    [FUM_LIMIT_WRITE] = {.name = "write", MEMORY(1, 1, "the same, written")},
    [FUM_LIMIT_COPY] = {.name = "copy", MEMORY(2, 2, "read and written bytes together")},
    [FUM_LIMIT_TRANSFER] = {.name = "buffer copy",
                            RATE(NULL, FUM_F32, "GB/s", "the same by the driver's own command"),
                            .moved = 2},
    [FUM_LIMIT_ROWS] = {.name = "read in rows", MEMORY(3, 1, "every lane along a row of its own")},
    [FUM_LIMIT_CACHED] = {.name = "read cached", MEMORY(0, 1, "a part of 16 KiB, again and again")},
    [FUM_LIMIT_BROADCAST] = {.name = "read same", MEMORY(4, 1, "the same 16 bytes for every lane")},
    [FUM_LIMIT_SHARED] = {.name = "shared memory",
                          RATE("bench_shared", FUM_F32, "GB/s",
                               "16 KiB of it, read round and round")},
    [FUM_LIMIT_DISPATCH] = {.name = "dispatch", TIME("one more of 64 independent ones")},
    [FUM_LIMIT_BARRIER] = {.name = "barrier", TIME("what it adds between two dispatches")},
    [FUM_LIMIT_SUBMIT] = {.name = "submission", TIME("from the call until the host knows")},
};

static const struct fum_shader *shader_of(const struct recipe *recipe) {
    return recipe->shader ? fum_shader_find(recipe->shader, recipe->dtype) : NULL;
}

bool fum_limits_has(const struct fum_limits *l, enum fum_limit which) {
    return l->probe[which].command != NULL;
}

static uint32_t lanes_of(const struct fum_device_info *info) {
    uint32_t lanes = info->type == FUM_DEVICE_CPU ? fum_lanes(info) : 256;
    return lanes <= info->max_group_invocations ? lanes : fum_lanes(info);
}

// Returns the first matrix shape of the type, or NULL.
static const struct fum_matrix_shape *matrix_of(const struct fum_device_info *info,
                                                enum fum_limit which) {
    enum fum_matrix_type type = which == FUM_LIMIT_MATRIX_F16 ? FUM_MATRIX_F16 : FUM_MATRIX_BF16;
    for (uint32_t i = 0; i < info->num_matrix; i++)
        if (info->matrix[i].type == type) return &info->matrix[i];
    return NULL;
}

// One run of a probe.
struct work {
    struct fum_kernel_desc desc;
    struct fum_binding binding[2];
    uint32_t push[3], groups[3];
    int dispatches;
    double amount;
};

static void push_float(struct work *w, float value) {
    memcpy(&w->push[w->desc.num_push++], &value, sizeof value);
}

// Plans arithmetic: `rounds` of a loop in enough workgroups to fill the device.
static void plan_arithmetic(const struct fum_limits *l, enum fum_limit which, uint32_t rounds,
                            struct work *w) {
    const struct fum_device_info *info = fum_device_get_info(l->device);
    uint32_t lanes = w->desc.spec[0], many = info->type == FUM_DEVICE_CPU ? 64 : 4096;
    const struct fum_matrix_shape *m = matrix_of(info, which);
    w->push[w->desc.num_push++] = rounds;
    fum_groups_1d(info, many, w->groups);
    double invocations = (double)lanes * many;
    if (which == FUM_LIMIT_DOT_S8) {
        w->push[w->desc.num_push++] = 0x01ff0201;
        // eight chains, eight times, four products and four sums
        w->amount = 8.0 * 8 * 8 * rounds * invocations;
    } else if (which == FUM_LIMIT_SHARED) {
        w->amount = 4.0 * 16 * rounds * invocations;
    } else if (m) {
        lanes = 4 * info->matrix_subgroup;
        w->desc.spec[0] = lanes;
        w->desc.subgroup = info->matrix_subgroup;
        w->desc.spec[3] = m->m;
        w->desc.spec[4] = m->n;
        w->desc.spec[5] = m->k;
        w->desc.spec[6] = info->type == FUM_DEVICE_CPU;
        w->desc.num_spec = 7;
        w->desc.num_bindings = 2;
        w->binding[1] = w->binding[0];
        w->binding[0] = (struct fum_binding){l->x, 0, fum_buffer_size(l->x), false};
        push_float(w, 0.999f);
        w->amount = 2.0 * 8 * m->m * m->n * m->k * rounds * 4 * many;
    } else {
        push_float(w, 0.999f);
        push_float(w, 0.001f);
        w->amount = 2.0 * 12 * 8 * rounds * invocations;
    }
}

// Plans memory traffic: `rounds` times over one of the buffers.
static void plan_memory(const struct fum_limits *l, enum fum_limit which, uint32_t rounds,
                        struct work *w) {
    const struct fum_device_info *info = fum_device_get_info(l->device);
    bool near = which == FUM_LIMIT_CACHED || which == FUM_LIMIT_BROADCAST;
    uint64_t quads = fum_buffer_size(l->x) / 16;
    uint32_t lanes = w->desc.spec[0], each = info->type == FUM_DEVICE_CPU ? 64 : 16;
    w->desc.spec[3] = recipes[which].pattern;
    w->desc.num_spec = 4;
    w->desc.num_bindings = 2;
    w->desc.num_push = 2;
    w->binding[0] = (struct fum_binding){l->x, 0, fum_buffer_size(l->x), false};
    w->binding[1] = (struct fum_binding){l->y, 0, fum_buffer_size(l->y), true};
    w->push[0] = each;
    w->push[1] = near ? BROADCAST_QUADS - 1 : (uint32_t)quads - 1;
    fum_groups_1d(info, quads / lanes / each, w->groups);
    w->dispatches = (int)rounds;
    w->amount = (double)(quads / lanes / each * lanes * each) * 16 * recipes[which].moved * rounds;
}

static bool is_arithmetic(enum fum_limit which) {
    return which < FUM_LIMIT_READ || which == FUM_LIMIT_SHARED;
}

static bool is_memory(enum fum_limit which) {
    return which >= FUM_LIMIT_READ && which <= FUM_LIMIT_BROADCAST;
}

static void plan_work(const struct fum_limits *l, enum fum_limit which, uint32_t rounds,
                      struct work *w) {
    const struct recipe *recipe = &recipes[which];
    const struct fum_device_info *info = fum_device_get_info(l->device);
    *w = (struct work){.desc = {.shader = shader_of(recipe),
                                .spec = {lanes_of(info), 1, 1},
                                .num_spec = 3,
                                .num_bindings = 1},
                       .binding = {{l->y, 0, fum_buffer_size(l->y), true}},
                       .groups = {1, 1, 1},
                       .dispatches = 1};
    if (which == FUM_LIMIT_TRANSFER) {
        w->dispatches = (int)rounds;
        w->amount = 2.0 * (double)fum_buffer_size(l->x) * rounds;
    } else if (is_arithmetic(which)) {
        plan_arithmetic(l, which, rounds, w);
    } else if (is_memory(which)) {
        plan_memory(l, which, rounds, w);
    } else {
        w->dispatches = which == FUM_LIMIT_SUBMIT ? 1 : DISPATCHES;
        w->amount = w->dispatches;
    }
}

static enum fum_result record_probe(struct fum_limits *l, enum fum_limit which, uint32_t rounds,
                                    struct fum_probe *probe, struct fum_error *err) {
    const char *name = recipes[which].name;
    const fum_kernel *kernel = NULL;
    struct work w;
    plan_work(l, which, rounds, &w);
    *probe = (struct fum_probe){.slot = 1, .amount = w.amount};
    enum fum_result result =
        w.desc.shader ? fum_kernel_get(&kernel, l->device, &w.desc, err) : FUM_OK;
    if (!result) result = fum_command_create(&probe->command, l->device, name, err);
    if (!result) result = fum_command_timestamp(probe->command, 0, err);
    for (int i = 0; i < w.dispatches && !result; i++) {
        if (which == FUM_LIMIT_DISPATCH) // apart, so that no barrier comes between
            w.binding[0] = (struct fum_binding){l->y, (uint64_t)i * 4096, 4096, true};
        result =
            !kernel
                ? fum_command_copy(probe->command,
                                   &(struct fum_buffer_copy){
                                       .src = l->x, .dst = l->y, .bytes = fum_buffer_size(l->x)},
                                   err)
                : fum_command_dispatch(probe->command,
                                       &(struct fum_kernel_call){.kernel = kernel,
                                                                 .bindings = w.binding,
                                                                 .push = w.push,
                                                                 .groups = w.groups,
                                                                 .label = name},
                                       err);
    }
    if (!result) result = fum_command_timestamp(probe->command, 1, err);
    if (!result) result = fum_command_end(probe->command, err);
    if (result) fum_probe_free(probe);
    return result;
}

// Returns the next number of rounds to try, after so many took `seconds` rather than the target.
static uint32_t more_rounds(uint32_t rounds, double seconds, double target) {
    double grow = seconds > 0 ? 1.2 * target / seconds : 16;
    return (uint32_t)(rounds * fmin(fmax(grow, 2), 16));
}

// Finds so many rounds that one run takes long enough to be timed well and no longer.
static enum fum_result calibrate(struct fum_limits *l, enum fum_limit which,
                                 struct fum_error *err) {
    double target = fum_device_get_info(l->device)->type == FUM_DEVICE_CPU ? 8e-3 : 1e-3;
    uint32_t most = is_memory(which) ? 16 : 1 << 20;
    for (uint32_t rounds = is_memory(which) ? 1 : 16;;) {
        double seconds = 0;
        fum_probe_free(&l->probe[which]);
        enum fum_result result = record_probe(l, which, rounds, &l->probe[which], err);
        // one warms up
        for (int i = 0; i < 2 && !result; i++)
            result = fum_probe_run(l->device, &l->probe[which], &seconds, err);
        if (result || which >= FUM_LIMIT_DISPATCH || seconds >= target || rounds >= most)
            return result;
        rounds = FUM_MIN(more_rounds(rounds, seconds, target), most);
    }
}

// True if the device and this build can measure the limit.
static bool supported(const struct fum_device_info *info, enum fum_limit which) {
    const struct recipe *recipe = &recipes[which];
    if (recipe->shader && !shader_of(recipe)) return false;
    if (which == FUM_LIMIT_FMA_F16) return info->float16;
    if (which == FUM_LIMIT_DOT_S8) return info->int_dot;
    if (which == FUM_LIMIT_MATRIX_F16 || which == FUM_LIMIT_MATRIX_BF16)
        return matrix_of(info, which) && info->matrix_subgroup && info->float16;
    if (which == FUM_LIMIT_SHARED) return info->shared_bytes >= 16384;
    return true;
}

// Returns a power of two that the device allows, well beyond the caches if possible.
static uint64_t large_bytes(const struct fum_device_info *info) {
    uint64_t bytes = info->type == FUM_DEVICE_CPU ? UINT64_C(64) << 20 : UINT64_C(256) << 20;
    while (bytes > info->max_binding || bytes > info->max_buffer || bytes > info->max_allocation ||
           bytes > info->memory / 8)
        bytes /= 2;
    return bytes;
}

// Leaves out a limit whose shader the driver refuses although it lists the feature. Only a lost
// device ends the run.
static enum fum_result calibrate_or_leave(struct fum_limits *l, enum fum_limit which,
                                          struct fum_error *err) {
    struct fum_error problem = {0};
    enum fum_result result = calibrate(l, which, &problem);
    bool optional = which > FUM_LIMIT_FMA_F32 && which < FUM_LIMIT_READ;
    if (result && optional && result != FUM_ERR_DEVICE) {
        fum_log(fum_device_log(l->device), FUM_LOG_INFO, "bench: no %s: %s", recipes[which].name,
                problem.text);
        return FUM_OK;
    }
    return result ? fum_error_set(err, result, "%s", problem.text) : FUM_OK;
}

enum fum_result fum_limits_create(struct fum_limits *l, fum_device *device, struct fum_error *err) {
    const struct fum_device_info *info = fum_device_get_info(device);
    uint64_t bytes = large_bytes(info);
    *l = (struct fum_limits){.device = device};
    if (bytes < 1 << 20)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s allows buffers of %llu bytes, too small to measure with",
                             info->name, (unsigned long long)bytes);
    enum fum_result result = fum_buffer_create(
        &l->x, device,
        &(struct fum_buffer_params){.bytes = bytes, .use = FUM_BUFFER_DEVICE, .label = "bench"},
        err);
    if (!result)
        result = fum_buffer_create(
            &l->y, device,
            &(struct fum_buffer_params){.bytes = bytes, .use = FUM_BUFFER_DEVICE, .label = "bench"},
            err);
    for (int half = 0; half < 2 && !result; half++) { // ones: written before it is read
        float *ones = fum_alloc(1 << 20, sizeof *ones);
        if (!ones) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to measure limits");
        for (int i = 0; i < 1 << 20 && !result; i++) ones[i] = 1;
        uint64_t piece = bytes < UINT64_C(4) << 20 ? bytes : UINT64_C(4) << 20;
        for (uint64_t at = 0; at < bytes && !result; at += piece)
            result = fum_buffer_write(half ? l->y : l->x, at, ones, piece, err);
        fum_free(ones);
    }
    for (enum fum_limit i = 0; i < FUM_LIMIT_COUNT && !result; i++)
        if (supported(info, i)) result = calibrate_or_leave(l, i, err);
    return result;
}

void fum_limits_free(struct fum_limits *l) {
    for (int i = 0; i < FUM_LIMIT_COUNT; i++) {
        fum_probe_free(&l->probe[i]);
        fum_samples_free(&l->samples[i]);
    }
    fum_buffer_destroy(&l->x);
    fum_buffer_destroy(&l->y);
}

enum fum_result fum_limits_measure(struct fum_limits *l, enum fum_limit which, double *rate,
                                   struct fum_error *err) {
    const struct fum_probe *probe = &l->probe[which];
    double seconds = 0, start = fum_time_now();
    enum fum_result result = fum_probe_run(l->device, probe, &seconds, err);
    if (result) return result;
    if (which == FUM_LIMIT_SUBMIT) seconds = fum_time_now() - start;
    if (seconds <= 0) seconds = 1e-9;
    *rate = recipes[which].time ? seconds / probe->amount : probe->amount / seconds;
    const struct fum_samples *dispatches = &l->samples[FUM_LIMIT_DISPATCH];
    // Beyond the dispatch itself, as it was just now: less than none is as likely as more on a
    // noisy machine.
    if (which == FUM_LIMIT_BARRIER && dispatches->count)
        *rate -= dispatches->values[dispatches->count - 1];
    if (!fum_samples_add(&l->samples[which], *rate))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a measurement");
    return FUM_OK;
}

double fum_limits_gain(const struct fum_limits *l, enum fum_dtype dtype) {
    static const struct {
        enum fum_dtype dtype;
        enum fum_limit limit;
    } rates[] = {{FUM_F16, FUM_LIMIT_FMA_F16},
                 {FUM_F16, FUM_LIMIT_MATRIX_F16},
                 {FUM_BF16, FUM_LIMIT_MATRIX_BF16}};
    double f32 = fum_samples_median(&l->samples[FUM_LIMIT_FMA_F32]), best = f32;
    for (size_t i = 0; i < FUM_COUNT(rates); i++) {
        double rate = fum_samples_median(&l->samples[rates[i].limit]);
        if (rates[i].dtype == dtype && rate > best) best = rate;
    }
    return f32 > 0 ? best / f32 : 1;
}

double fum_limits_memory_gain(const struct fum_limits *l) {
    double read = fum_samples_median(&l->samples[FUM_LIMIT_READ]), best = read;
    for (enum fum_limit i = FUM_LIMIT_WRITE; i <= FUM_LIMIT_TRANSFER; i++) {
        double rate = fum_samples_median(&l->samples[i]);
        if (rate > best) best = rate;
    }
    return read > 0 ? best / read : 1;
}

enum fum_result fum_limits_finish(const struct fum_limits *l, struct fum_bench_report *report,
                                  fum_arena *arena, struct fum_error *err) {
    struct fum_bench_limit *out = fum_arena_alloc(arena, FUM_LIMIT_COUNT, sizeof *out);
    if (!out) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
    report->limits = out;
    for (int i = 0; i < FUM_LIMIT_COUNT; i++) {
        struct fum_samples scaled = {0};
        bool fits = true;
        for (size_t k = 0; k < l->samples[i].count; k++) {
            double value = l->samples[i].values[k];
            fits = fits && fum_samples_add(&scaled, value > 0 ? value * recipes[i].scale : 0);
        }
        if (fits && scaled.count) {
            out->name = recipes[i].name;
            out->unit = recipes[i].unit;
            out->what = recipes[i].what;
            out->lower_is_better = recipes[i].time;
            fits = fum_samples_finish(&scaled, arena, &out->value);
            out++;
        }
        fum_samples_free(&scaled);
        if (!fits) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
    }
    report->num_limits = (int)(out - report->limits);
    return FUM_OK;
}
