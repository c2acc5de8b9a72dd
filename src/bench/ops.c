// SPDX-License-Identifier: MIT
// Measures every operation on the shapes of real models, in rounds. A round runs each case once,
// between two measurements of the limits.
#include "bench/bench.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "check/case.h"
#include "ops/lib/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Inputs at least this large take a part of memory that all cases share; smaller ones and those
// with meaning (ids) have their own.
enum { SHARED_BYTES = 1 << 18, PATTERN = 1 << 20 };
// Shares of the fma rate and of the memory's that a case is assumed to reach before its first run.
static const double GUESS_FMA = 0.15, GUESS_MEMORY = 0.3;

struct entry {
    struct fum_case_use use;
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    double flops, bytes, guess; // guess: seconds
    fum_buffer *own[FUM_MAX_INPUTS];
    struct fum_probe probe;
    int dispatches, barriers;
    bool warm; // has run once: the guess is a measurement
    struct fum_samples seconds, of_fma, of_roof;
    bool memory_bound;
    bool dropped;
};

// What cases of one storage type share.
struct pool {
    uint64_t in_bytes[FUM_MAX_INPUTS], out_bytes, scratch_bytes;
    struct fum_case_memory memory;
};

struct ops {
    struct fum_bench_run *run;
    struct entry *entries;
    size_t count, capacity;
    struct pool pools[FUM_BF16 + 1];
    struct fum_dispatches *list; // large: one for all
    double flops_rate, bytes_rate;
    double shortest;      // seconds that a command is made to take at least
    double beside;        // seconds that measuring the limits takes
    double guessed, took; // of all first runs
};

// ---- which cases ----

// Inputs and output, each once; of a table that ids look up, as much as they take of it.
static double moved_bytes(const struct entry *e) {
    double out = (double)fum_desc_bytes(&e->call.out), sum = out;
    bool lookup = false;
    for (int i = 0; i < e->call.num_inputs; i++)
        lookup = lookup || e->use.c->in[i].fill == FUM_FILL_INDEX;
    for (int i = 0; i < e->call.num_inputs; i++) {
        const struct fum_desc memory = fum_call_memory(&e->call, i);
        double bytes = e->call.has[i] ? (double)fum_desc_bytes(&memory) : 0;
        sum += lookup && bytes > out ? out : bytes;
    }
    return sum;
}

static enum fum_result add_entry(struct ops *ops, const struct fum_case_use *use,
                                 struct fum_error *err) {
    struct fum_why why;
    if (!fum_grow((void **)&ops->entries, &ops->capacity, ops->count, sizeof *ops->entries))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the list of cases");
    struct entry *e = &ops->entries[ops->count];
    *e = (struct entry){.use = *use};
    if (!fum_case_call(use, &e->call, e->attr, &why))
        return fum_error_set(err, FUM_ERR_ARG, "op %s, case '%s': %s", use->op->name, use->c->name,
                             why.text);
    e->flops = use->op->flops ? use->op->flops(&e->call) : 0;
    e->bytes = moved_bytes(e);
    e->guess = e->flops / (ops->flops_rate * GUESS_FMA) +
               e->bytes / (ops->bytes_rate * GUESS_MEMORY) + 1e-5;
    ops->count++;
    return FUM_OK;
}

// Adds the cases of an op that `bench` times, in one storage type.
static enum fum_result add_op(struct ops *ops, int op, enum fum_dtype type, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < fum_op_cases[op]->count && !result; i++) {
        struct fum_case_use use = {fum_ops[op], &fum_op_cases[op]->cases[i], type, NULL};
        if (!use.c->bench || !fum_case_has_type(use.c, type)) continue;
        for (int p = 0; p < fum_case_packings(use.c) && !result; p++) {
            use.quantised = fum_case_packing(use.c, p);
            result = add_entry(ops, &use, err);
        }
    }
    return result;
}

static enum fum_result list_entries(struct ops *ops, struct fum_error *err) {
    const struct fum_bench_params *p = &ops->run->params;
    for (enum fum_dtype type = FUM_F32; type <= FUM_BF16; type++) {
        if (!(p->types >> type & 1) || !fum_device_stores(ops->run->info, type)) continue;
        for (int op = 0; op < fum_op_count; op++) {
            if (p->op && strcmp(p->op, fum_ops[op]->name)) continue;
            enum fum_result result = add_op(ops, op, type, err);
            if (result) return result;
        }
    }
    // call.attr points into the entry, which has moved while the list grew.
    for (size_t i = 0; i < ops->count; i++) ops->entries[i].call.attr = ops->entries[i].attr;
    return FUM_OK;
}

static void drop(struct ops *ops, struct entry *e) {
    e->dropped = true;
    ops->run->report->ops_left_out++;
}

// Returns the seconds that a case still takes: its first run, of unknown length, and at least three
// that count. Each has the limits measured beside it.
static double cost(const struct ops *ops, const struct entry *e) {
    double one = e->guess < ops->shortest ? ops->shortest : e->guess;
    double wrong = ops->guessed > 0.1 * ops->took ? ops->took / ops->guessed : 1; // guesses, so far
    if (!e->warm) return 4 * (1.1 * one * (wrong > 0.2 ? wrong : 0.2) + ops->beside);
    return 3 * (1.1 * one + ops->beside);
}

// Leaves out the longest until the rest fits the time.
static void fit_time(struct ops *ops, double seconds) {
    for (;;) {
        double sum = 0;
        struct entry *longest = NULL;
        for (size_t i = 0; i < ops->count; i++) {
            struct entry *e = &ops->entries[i];
            if (e->dropped) continue;
            sum += cost(ops, e);
            if (!longest || e->guess > longest->guess) longest = e;
        }
        if (sum <= seconds || !longest) return;
        drop(ops, longest);
    }
}

// ---- memory ----

static bool is_shared(const struct entry *e, int input) {
    return e->use.c->in[input].type == FUM_CASE_STORAGE && !e->call.quantised[input] &&
           fum_desc_bytes(&e->call.in[input]) >= SHARED_BYTES;
}

static bool plan_dispatches(struct ops *ops, struct entry *e) {
    ops->list->count = 0;
    ops->list->scratch_bytes = 0;
    ops->list->info = ops->run->info;
    ops->list->tuning = fum_device_tuning(ops->run->device);
    bool fits = e->use.op->dispatch && e->use.op->dispatch(&e->call, ops->list);
    if (!fits)
        fum_log(ops->run->params.log, FUM_LOG_INFO, "bench: op %s, case '%s': %s", e->use.op->name,
                e->use.c->name, ops->list->why.text);
    return fits;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t pool_bytes(const struct pool *p) {
    uint64_t sum = p->out_bytes + p->scratch_bytes;
    for (int i = 0; i < FUM_MAX_INPUTS; i++) sum += p->in_bytes[i];
    return sum;
}

// Sizes of the pools; a case that does not fit the device's memory or limits is left out.
static void size_pools(struct ops *ops) {
    const struct fum_device_info *info = ops->run->info;
    uint64_t limit =
        info->max_buffer < info->max_allocation ? info->max_buffer : info->max_allocation;
    bool stated;
    uint64_t budget = fum_device_memory_budget(ops->run->device, &stated) / 10 * 8;
    for (size_t k = 0; k < ops->count; k++) {
        struct entry *e = &ops->entries[k];
        if (e->dropped) continue;
        struct pool *pool = &ops->pools[e->use.dtype], grown = *pool;
        bool fits = plan_dispatches(ops, e);
        for (int i = 0; i < e->call.num_inputs && fits; i++)
            if (e->call.has[i] && is_shared(e, i))
                grown.in_bytes[i] = larger(grown.in_bytes[i], fum_desc_bytes(&e->call.in[i]));
        grown.out_bytes = larger(grown.out_bytes, fum_desc_bytes(&e->call.out));
        grown.scratch_bytes = larger(grown.scratch_bytes, ops->list->scratch_bytes);
        fits = fits && grown.out_bytes <= limit && grown.scratch_bytes <= limit;
        for (int i = 0; i < FUM_MAX_INPUTS; i++) fits = fits && grown.in_bytes[i] <= limit;
        uint64_t others = fum_device_memory_used(ops->run->device);
        for (int t = FUM_F32; t <= FUM_BF16; t++)
            if (t != (int)e->use.dtype) others += pool_bytes(&ops->pools[t]);
        if (fits && pool_bytes(&grown) + others <= budget)
            *pool = grown;
        else
            drop(ops, e);
    }
}

// Fills a buffer with standard normal values, whose products are neither huge nor subnormal.
static enum fum_result fill(fum_buffer *buffer, enum fum_dtype type, struct fum_error *err) {
    struct fum_case_input in = {.shape = {1, {PATTERN}}};
    struct fum_desc desc = {in.shape, type};
    float *values = fum_case_fill(&in, &desc, 1);
    uint8_t *bytes = fum_alloc(PATTERN, fum_dtype_size(type));
    enum fum_result result = FUM_OK;
    if (!values || !bytes)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the inputs of cases");
    else
        fum_convert_from_f32(bytes, type, values, PATTERN);
    uint64_t size = fum_buffer_size(buffer), whole = PATTERN * (uint64_t)fum_dtype_size(type);
    for (uint64_t at = 0; at < size && !result; at += whole)
        result = fum_buffer_write(buffer, at, bytes, size - at < whole ? size - at : whole, err);
    fum_free(values);
    fum_free(bytes);
    return result;
}

static enum fum_result make_buffer(fum_buffer **buffer, struct ops *ops, uint64_t bytes,
                                   enum fum_dtype type, struct fum_error *err) {
    if (!bytes) return FUM_OK;
    enum fum_result result = fum_buffer_create(
        buffer, ops->run->device,
        &(struct fum_buffer_params){.bytes = bytes, .use = FUM_BUFFER_DEVICE, .label = "bench"},
        err);
    return result ? result : fill(*buffer, type, err);
}

static enum fum_result make_pools(struct ops *ops, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (enum fum_dtype t = FUM_F32; t <= FUM_BF16 && !result; t++) {
        struct pool *p = &ops->pools[t];
        for (int i = 0; i < FUM_MAX_INPUTS && !result; i++)
            result = make_buffer(&p->memory.in[i], ops, p->in_bytes[i], t, err);
        if (!result) result = make_buffer(&p->memory.out, ops, p->out_bytes, t, err);
        if (!result) result = make_buffer(&p->memory.scratch, ops, p->scratch_bytes, FUM_F32, err);
    }
    return result;
}

static enum fum_result make_own(struct ops *ops, struct entry *e, int input,
                                struct fum_error *err) {
    const struct fum_desc desc = fum_call_memory(&e->call, input);
    uint64_t bytes = fum_desc_bytes(&desc);
    struct fum_case_values values = {0};
    enum fum_result result = fum_buffer_create(
        &e->own[input], ops->run->device,
        &(struct fum_buffer_params){
            .bytes = bytes < 16 ? 16 : bytes, .use = FUM_BUFFER_DEVICE, .label = "bench"},
        err);
    if (!result) result = fum_case_values(&e->use, &e->call, input, &values, err);
    if (!result) result = fum_case_write(e->own[input], &desc, values.memory, err);
    fum_case_values_release(&values);
    return result;
}

// ---- recording and running ----

// Records the same call `loops` times in one command.
static enum fum_result record_loops(struct ops *ops, struct entry *e, int loops,
                                    struct fum_error *err) {
    struct fum_case_memory memory = ops->pools[e->use.dtype].memory;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < FUM_MAX_INPUTS && !result; i++) {
        if (i >= e->call.num_inputs || !e->call.has[i])
            memory.in[i] = NULL;
        else if (!is_shared(e, i)) {
            if (!e->own[i]) result = make_own(ops, e, i, err);
            memory.in[i] = e->own[i];
        }
    }
    if (e->use.op->updates || (e->use.op->flags & FUM_OP_ALIAS)) memory.out = memory.in[0];
    fum_probe_free(&e->probe);
    e->probe = (struct fum_probe){.amount = loops, .slot = 1};
    if (!result && !plan_dispatches(ops, e))
        result =
            fum_error_set(err, FUM_ERR_UNSUPPORTED, "op %s: '%s'", e->use.op->name, e->use.c->name);
    if (!result)
        result = fum_command_create(&e->probe.command, ops->run->device, e->use.op->name, err);
    if (!result) result = fum_command_timestamp(e->probe.command, 0, err);
    const struct fum_case_job job = {.device = ops->run->device,
                                     .op = e->use.op,
                                     .call = &e->call,
                                     .list = ops->list,
                                     .memory = &memory};
    for (int k = 0; k < loops && !result; k++) {
        result = fum_case_record(e->probe.command, &job, err);
        if (k == 0) {
            e->dispatches = fum_command_dispatches(e->probe.command);
            e->barriers = fum_command_barriers(e->probe.command);
        }
    }
    if (!result) result = fum_command_timestamp(e->probe.command, 1, err);
    return result ? result : fum_command_end(e->probe.command, err);
}

// Runs a case first, without counting it, to find how often a short one is repeated in a command.
static enum fum_result warm_up(struct ops *ops, struct entry *e, struct fum_error *err) {
    double seconds = 0;
    enum fum_result result = record_loops(ops, e, 1, err);
    if (!result) result = fum_probe_run(ops->run->device, &e->probe, &seconds, err);
    ops->guessed += e->guess;
    ops->took += seconds;
    e->guess = seconds;
    e->warm = true;
    if (result || seconds >= ops->shortest) return result;
    int loops = seconds > 0 ? (int)(ops->shortest / seconds) + 1 : 16;
    return record_loops(ops, e, loops > 64 ? 64 : loops, err);
}

static enum fum_result measure_entry(struct ops *ops, struct entry *e, struct fum_guard *before,
                                     struct fum_error *err) {
    struct fum_guard after;
    double seconds;
    enum fum_result result = fum_probe_run(ops->run->device, &e->probe, &seconds, err);
    if (!result) result = fum_measure_guard(ops->run, seconds, &after, err);
    if (result) return result;
    seconds /= e->probe.amount;
    double fma = (before->fma + after.fma) / 2;
    double memory = (before->memory + after.memory) / 2 * fum_limits_memory_gain(&ops->run->limits);
    double arithmetic = e->flops / (fma * fum_limits_gain(&ops->run->limits, e->use.dtype)),
           moving = e->bytes / memory;
    e->memory_bound = moving > arithmetic;
    *before = after;
    if (!fum_samples_add(&e->seconds, seconds) ||
        !fum_samples_add(&e->of_fma, fum_op_flops(e->use.op, &e->call) / seconds / fma) ||
        !fum_samples_add(&e->of_roof, (arithmetic > moving ? arithmetic : moving) / seconds))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a measurement");
    return FUM_OK;
}

static enum fum_result run_rounds(struct ops *ops, double end, struct fum_error *err) {
    struct fum_guard guard;
    // for a machine that has become slower
    double start = fum_time_now(), late = end + (end - start) / 2;
    int total = 0, done = 0;
    enum fum_result result = fum_measure_guard(ops->run, 0, &guard, err);
    ops->beside = fum_time_now() - start;
    for (size_t i = 0; i < ops->count; i++) total += !ops->entries[i].dropped;
    for (size_t i = 0; i < ops->count && !result; i++) {
        struct entry *e = &ops->entries[i];
        fit_time(ops, end - fum_time_now());
        if (e->dropped) continue;
        fum_bench_progress(ops->run, "operations, first run", done++, total);
        result = fum_bench_check(ops->run, err);
        if (!result) result = warm_up(ops, e, err);
    }
    if (!result) result = fum_measure_guard(ops->run, 0.1, &guard, err);
    for (int round = 0; round < ops->run->params.repeats && !result; round++) {
        char what[64];
        snprintf(what, sizeof what, "operations, repeat %d", round + 1);
        done = total = 0;
        for (size_t i = 0; i < ops->count; i++) total += !ops->entries[i].dropped;
        for (size_t i = 0; i < ops->count && !result; i++) {
            if (ops->entries[i].dropped) continue;
            // some cases have one repeat more than others
            if (fum_time_now() >= (round ? end : late)) return FUM_OK;
            fum_bench_progress(ops->run, what, done++, total);
            result = fum_bench_check(ops->run, err);
            if (!result) result = measure_entry(ops, &ops->entries[i], &guard, err);
        }
    }
    return result;
}

// ---- the report ----

static enum fum_result report_ops(struct ops *ops, struct fum_error *err) {
    struct fum_bench_run *run = ops->run;
    struct fum_bench_op *out =
        fum_arena_alloc(run->arena, ops->count ? ops->count : 1, sizeof *out);
    if (!out) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
    run->report->ops = out;
    for (size_t i = 0; i < ops->count; i++) {
        const struct entry *e = &ops->entries[i];
        if (!e->seconds.count) {
            run->report->ops_left_out += !e->dropped;
            continue;
        }
        char name[FUM_CASE_NAME];
        *out = (struct fum_bench_op){.op = e->use.op->name,
                                     .name =
                                         fum_arena_strdup(run->arena, fum_case_name(&e->use, name)),
                                     .type = e->use.dtype,
                                     .flops = e->flops,
                                     .bytes = e->bytes,
                                     .dispatches = e->dispatches,
                                     .barriers = e->barriers,
                                     .memory_bound = e->memory_bound};
        if (!out->name || !fum_samples_finish(&e->seconds, run->arena, &out->seconds) ||
            !fum_samples_finish(&e->of_fma, run->arena, &out->of_fma) ||
            !fum_samples_finish(&e->of_roof, run->arena, &out->of_roof))
            return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
        out++;
    }
    run->report->num_ops = (int)(out - run->report->ops);
    return FUM_OK;
}

static void release_entries(struct ops *ops) {
    for (size_t k = 0; k < ops->count; k++) {
        struct entry *e = &ops->entries[k];
        fum_probe_free(&e->probe);
        for (int i = 0; i < FUM_MAX_INPUTS; i++) fum_buffer_destroy(&e->own[i]);
        fum_samples_free(&e->seconds);
        fum_samples_free(&e->of_fma);
        fum_samples_free(&e->of_roof);
    }
    for (int t = FUM_F32; t <= FUM_BF16; t++) {
        struct fum_case_memory *m = &ops->pools[t].memory;
        for (int i = 0; i < FUM_MAX_INPUTS; i++) fum_buffer_destroy(&m->in[i]);
        fum_buffer_destroy(&m->out);
        fum_buffer_destroy(&m->scratch);
    }
    fum_free(ops->entries);
    fum_free(ops->list);
}

enum fum_result fum_bench_ops(struct fum_bench_run *run, double seconds, struct fum_error *err) {
    struct ops ops = {.run = run, .list = fum_alloc(1, sizeof *ops.list)};
    double end = fum_time_now() + seconds;
    struct fum_error ignored;
    if (!ops.list) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the list of cases");
    ops.flops_rate = fum_samples_median(&run->limits.samples[FUM_LIMIT_FMA_F32]);
    ops.shortest = run->info->type == FUM_DEVICE_CPU ? 8e-3 : 2e-4;
    ops.bytes_rate = fum_samples_median(&run->limits.samples[FUM_LIMIT_READ]);
    enum fum_result result = list_entries(&ops, err);
    if (!result) {
        fit_time(&ops, seconds);
        size_pools(&ops);
        result = make_pools(&ops, err);
    }
    if (!result) result = run_rounds(&ops, end, err);
    enum fum_result reported = report_ops(&ops, result ? &ignored : err);
    release_entries(&ops);
    return result ? result : reported;
}
