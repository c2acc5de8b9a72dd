// SPDX-License-Identifier: MIT
// Measuring which tiles suit a device, on the shapes of the op cases.
#include <fumarole/tuning.h>

#include "base/alloc.h"
#include "base/error.h"
#include "check/case.h"
#include "gpu/tuning.h"
#include "ops/lib/emit.h"
#include "ops/variants/variant.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, MOST_LOOPS = 32 };
static const double LEAST_SECONDS = 2e-4; // of one measurement: several runs of short calls
// times slower than the best, at the first run: not measured again
static const double HOPELESS = 2.5;
static const double NOISE = 0.03; // a choice must win by more

// A value of the choice, recorded and ready to run.
struct candidate {
    uint32_t value;
    fum_command *command;
    int loops;
    double seconds[ROUNDS];
    bool dropped;
};

struct tuner {
    fum_device *device;
    struct fum_tune_params params;
    struct fum_tuning tuning; // for the dispatches of candidates
    struct fum_tuning_note note;
    struct fum_dispatches list;
    uint64_t seen[FUM_MAX_TUNED];
    int num_seen;
    double started;
    int measured;
};

// ---- one call ----

struct subject {
    const struct fum_case_use *use;
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    struct fum_case_memory memory;
    struct candidate candidates[FUM_MAX_NOTE];
    int count;
};

// Dispatches of the call with `value` for the noted choice.
static bool plan(struct tuner *t, const struct subject *s, uint32_t value) {
    t->tuning.count = 1;
    t->tuning.items[0] = (struct fum_tuned){.key = t->note.key, .value = value};
    t->list.count = 0;
    t->list.scratch_bytes = 0;
    return s->use->op->dispatch(&s->call, &t->list);
}

static enum fum_result make_memory(struct tuner *t, struct subject *s, struct fum_error *err) {
    enum fum_result r = FUM_OK;
    uint64_t scratch = 0;
    for (int i = 0; i < s->call.num_inputs && !r; i++) {
        if (!s->call.has[i]) continue;
        const struct fum_desc desc = fum_call_memory(&s->call, i);
        uint64_t bytes = fum_desc_bytes(&desc);
        struct fum_case_values values = {0};
        r = fum_buffer_create(&s->memory.in[i], t->device,
                              &(struct fum_buffer_params){.bytes = bytes < 16 ? 16 : bytes,
                                                          .use = FUM_BUFFER_DEVICE,
                                                          .label = "tuning"},
                              err);
        if (!r) r = fum_case_values(s->use, &s->call, i, &values, err);
        if (!r) r = fum_case_write(s->memory.in[i], &desc, values.memory, err);
        fum_case_values_release(&values);
    }
    for (int i = 0; i < t->note.count; i++)
        if (plan(t, s, t->note.values[i]) && t->list.scratch_bytes > scratch)
            scratch = t->list.scratch_bytes;
    uint64_t out = fum_desc_bytes(&s->call.out);
    if (!r)
        r = fum_buffer_create(&s->memory.out, t->device,
                              &(struct fum_buffer_params){.bytes = out < 16 ? 16 : out,
                                                          .use = FUM_BUFFER_DEVICE,
                                                          .label = "tuning"},
                              err);
    if (!r && scratch)
        r = fum_buffer_create(&s->memory.scratch, t->device,
                              &(struct fum_buffer_params){
                                  .bytes = scratch, .use = FUM_BUFFER_DEVICE, .label = "tuning"},
                              err);
    return r;
}

// Compiles all candidates' kernels at once, on as many threads as there are: compiling takes longer
// than measuring.
static enum fum_result compile(struct tuner *t, const struct subject *s, struct fum_error *err) {
    enum { MOST = FUM_MAX_NOTE * 4 };
    struct fum_kernel_desc *descs = fum_calloc(MOST, sizeof *descs);
    const fum_kernel *kernels[MOST];
    int count = 0;
    if (!descs) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for tuning");
    for (int i = 0; i < s->count; i++) {
        if (!plan(t, s, s->candidates[i].value)) continue;
        for (int k = 0; k < t->list.count && count < MOST; k++) {
            descs[count] = fum_dispatch_kernel(&t->list.item[k]);
            count += descs[count].shader != NULL;
        }
    }
    enum fum_result r = fum_kernel_get_all(kernels, t->device, descs, count, err);
    fum_free(descs);
    return r;
}

static void release_subject(struct subject *s) {
    for (int i = 0; i < s->count; i++) fum_command_destroy(&s->candidates[i].command);
    for (int i = 0; i < FUM_MAX_INPUTS; i++) fum_buffer_destroy(&s->memory.in[i]);
    fum_buffer_destroy(&s->memory.out);
    fum_buffer_destroy(&s->memory.scratch);
}

static enum fum_result record_candidate(struct tuner *t, struct subject *s, struct candidate *c,
                                        int loops, struct fum_error *err) {
    fum_command_destroy(&c->command);
    c->loops = loops;
    if (!plan(t, s, c->value))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "case '%s' cannot run", s->use->c->name);
    enum fum_result r = fum_command_create(&c->command, t->device, "tuning", err);
    if (!r) r = fum_command_timestamp(c->command, 0, err);
    const struct fum_case_job job = {.device = t->device,
                                     .op = s->use->op,
                                     .call = &s->call,
                                     .list = &t->list,
                                     .memory = &s->memory};
    for (int i = 0; i < loops && !r; i++) r = fum_case_record(c->command, &job, err);
    if (!r) r = fum_command_timestamp(c->command, 1, err);
    return r ? r : fum_command_end(c->command, err);
}

// Times one call using the device's clock where it has one, or the host's.
static enum fum_result time_call(struct tuner *t, struct candidate *c, double *seconds,
                                 struct fum_error *err) {
    uint64_t ticket;
    double begin, end, start = fum_time_now();
    enum fum_result r = fum_command_submit(c->command, &ticket, err);
    if (!r) r = fum_device_wait(t->device, ticket, err);
    *seconds = (fum_time_now() - start) / c->loops;
    if (r || fum_device_get_info(t->device)->timestamp_period <= 0) return r;
    r = fum_command_read_timestamp(c->command, 0, &begin, err);
    if (!r) r = fum_command_read_timestamp(c->command, 1, &end, err);
    if (!r) *seconds = (end - begin) * 1e-9 / c->loops;
    return r;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

// Compiles and warms up all, then measures one after the other, round by round, so that a slow
// moment falls on all. Afterwards seconds[ROUNDS / 2] is each one's median.
static enum fum_result measure_candidates(struct tuner *t, struct subject *s,
                                          struct fum_error *err) {
    double best = 0, seconds;
    enum fum_result r = compile(t, s, err);
    for (int i = 0; i < s->count && !r; i++) {
        struct candidate *c = &s->candidates[i];
        if ((r = record_candidate(t, s, c, 1, err)) || (r = time_call(t, c, &seconds, err)) ||
            (r = time_call(t, c, &seconds, err)))
            return r;
        c->dropped = i > 0 && seconds > HOPELESS * best;
        if (!i || seconds < best) best = seconds;
        int loops = seconds > 0 ? (int)(LEAST_SECONDS / seconds) + 1 : MOST_LOOPS;
        if (!c->dropped && loops > 1)
            r = record_candidate(t, s, c, loops < MOST_LOOPS ? loops : MOST_LOOPS, err);
    }
    for (int round = 0; round < ROUNDS && !r; round++)
        for (int i = 0; i < s->count && !r; i++)
            if (!s->candidates[i].dropped)
                r = time_call(t, &s->candidates[i], &s->candidates[i].seconds[round], err);
    for (int i = 0; i < s->count; i++)
        qsort(s->candidates[i].seconds, ROUNDS, sizeof(double), by_value);
    return r;
}

// Keeps the best candidate and reports it to the on_result callback.
static void decide(struct tuner *t, const struct subject *s) {
    const struct candidate *own = &s->candidates[0], *best = own;
    char before[64], after[64], name[FUM_CASE_NAME];
    for (int i = 1; i < s->count; i++)
        if (!s->candidates[i].dropped &&
            s->candidates[i].seconds[ROUNDS / 2] < best->seconds[ROUNDS / 2])
            best = &s->candidates[i];
    if (best->seconds[ROUNDS / 2] > own->seconds[ROUNDS / 2] * (1 - NOISE)) best = own;
    fum_device_set_tuned(t->device, &(struct fum_tuned){.key = t->note.key, .value = best->value},
                         1);
    t->measured++;
    if (!t->params.on_result) return;
    t->note.describe(own->value, before, sizeof before);
    t->note.describe(best->value, after, sizeof after);
    t->params.on_result(t->params.user,
                        &(struct fum_tune_result){.op = s->use->op->name,
                                                  .name = fum_case_name(s->use, name),
                                                  .type = s->use->dtype,
                                                  .choices = s->count,
                                                  .before = before,
                                                  .after = after,
                                                  .before_seconds = own->seconds[ROUNDS / 2],
                                                  .after_seconds = best->seconds[ROUNDS / 2],
                                                  .flops = fum_op_flops(s->use->op, &s->call)});
}

// ---- all calls ----

static bool seen(struct tuner *t, uint64_t key) {
    for (int i = 0; i < t->num_seen; i++)
        if (t->seen[i] == key) return true;
    if (t->num_seen < FUM_MAX_TUNED) t->seen[t->num_seen++] = key;
    return false;
}

// Tunes the choice of one case. `fresh`: only if nothing is kept for its class.
static enum fum_result tune_case(struct tuner *t, const struct fum_case_use *use, bool fresh,
                                 struct fum_error *err) {
    const struct fum_op *op = use->op;
    struct subject s = {.use = use};
    if (!fum_case_call(use, &s.call, s.attr, NULL) || !op->dispatch) return FUM_OK;
    if (t->params.most_flops > 0 && fum_op_flops(op, &s.call) > t->params.most_flops) return FUM_OK;
    t->note.count = 0;
    t->tuning.note = &t->note;
    t->tuning.count = 0;
    t->list.count = 0;
    bool runs = op->dispatch(&s.call, &t->list);
    t->tuning.note = NULL;
    if (!runs || t->note.count < 2) return FUM_OK;
    if (fresh &&
        fum_tuning_find(fum_device_tuning(t->device), t->note.key, UINT32_MAX) != UINT32_MAX)
        return FUM_OK;
    if (seen(t, t->note.key)) return FUM_OK;
    s.count = t->note.count;
    for (int i = 0; i < s.count; i++) s.candidates[i].value = t->note.values[i];
    enum fum_result r = make_memory(t, &s, err);
    if (!r) r = measure_candidates(t, &s, err);
    if (!r) decide(t, &s);
    release_subject(&s);
    return r == FUM_ERR_UNSUPPORTED ? FUM_OK : r; // the shape does not fit this device
}

static bool go_on(const struct tuner *t) {
    bool cancelled = t->params.cancel && t->params.cancel(t->params.user);
    return !cancelled && fum_time_now() - t->started < t->params.seconds;
}

static enum fum_result tune_type(struct tuner *t, enum fum_dtype type, bool fresh,
                                 struct fum_error *err) {
    enum fum_result r = FUM_OK;
    for (int op = 0; op < fum_op_count; op++) {
        if (t->params.op && strcmp(t->params.op, fum_ops[op]->name)) continue;
        for (int i = 0; i < fum_op_cases[op]->count && !r; i++) {
            struct fum_case_use use = {fum_ops[op], &fum_op_cases[op]->cases[i], type, NULL};
            if (!use.c->bench || !fum_case_has_type(use.c, type)) continue;
            for (int p = 0; p < fum_case_packings(use.c) && !r; p++) {
                use.quantised = fum_case_packing(use.c, p);
                if (!go_on(t)) return FUM_OK;
                r = tune_case(t, &use, fresh, err);
            }
        }
    }
    return r;
}

enum fum_result fum_tune(fum_device *device, const struct fum_tune_params *params, int *measured,
                         struct fum_error *err) {
    const struct fum_device_info *info = fum_device_get_info(device);
    struct tuner *t = fum_calloc(1, sizeof *t);
    enum fum_result r = FUM_OK;
    if (measured) *measured = 0;
    if (!t) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for tuning");
    if (params) t->params = *params;
    if (!t->params.types) t->params.types = 1u << FUM_F32 | 1u << FUM_F16;
    if (t->params.seconds <= 0) t->params.seconds = 60;
    t->device = device;
    t->tuning.variant = fum_device_tuning(device)->variant;
    t->list.info = info;
    t->list.tuning = &t->tuning;
    t->started = fum_time_now();
    if (t->params.op && !fum_op_find(t->params.op))
        r = fum_error_set(err, FUM_ERR_ARG, "no op '%s' to tune", t->params.op);
    // What nothing is known about first, then, in the time left, the rest anew; the type that
    // pictures use before others.
    static const enum fum_dtype types[] = {FUM_F16, FUM_F32, FUM_BF16};
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 3 && !r; i++)
            if (t->params.types >> types[i] & 1 && fum_device_stores(info, types[i]))
                r = tune_type(t, types[i], pass == 0, err);
    if (!r && t->measured) r = fum_device_save_tuning(device, err);
    if (measured) *measured = t->measured;
    fum_free(t);
    return r;
}

int fum_device_tuned(const fum_device *device) {
    return fum_device_tuning(device)->count;
}

enum fum_result fum_device_forget_tuning(fum_device *device, struct fum_error *err) {
    fum_device_set_tuned(device, NULL, 0);
    return fum_device_save_tuning(device, err);
}
