// SPDX-License-Identifier: MIT
// Running op cases: the kernels of a case against its plain C reference.
#include "check/case.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- a case as a call ----

static bool set_attrs(const struct fum_op *op, const struct fum_op_case *c, double *attr,
                      struct fum_why *why) {
    int count = 0;
    for (const struct fum_attr_def *d = op->attrs; d && d->name; d++)
        attr[count++] = d->default_value;
    for (const struct fum_attr *a = c->attrs; a->name; a++) {
        int i = 0;
        while (i < count && strcmp(op->attrs[i].name, a->name)) i++;
        if (i == count) return fum_refuse(why, "the op has no setting '%s'", a->name);
        attr[i] = a->value;
    }
    return true;
}

bool fum_case_call(const struct fum_case_use *use, struct fum_op_call *call,
                   double attr[FUM_MAX_ATTRS], struct fum_why *why) {
    static const enum fum_dtype fixed[] = {
        [FUM_CASE_F32] = FUM_F32, [FUM_CASE_F16] = FUM_F16, [FUM_CASE_I32] = FUM_I32};
    *call = (struct fum_op_call){.attr = attr, .out.dtype = use->dtype}; // as the graph presets it
    if (!set_attrs(use->op, use->c, attr, why)) return false;
    for (int i = 0; i < FUM_MAX_INPUTS; i++) {
        const struct fum_case_input *in = &use->c->in[i];
        if (!in->shape.rank) continue;
        call->has[i] = true;
        call->num_inputs = i + 1;
        call->in[i] = (struct fum_desc){in->shape, in->type == FUM_CASE_STORAGE ? use->dtype
                                                                                : fixed[in->type]};
    }
    call->quantised[1] = use->quantised;
    return use->op->infer(call, why);
}

const char *fum_case_name(const struct fum_case_use *use, char name[FUM_CASE_NAME]) {
    snprintf(name, FUM_CASE_NAME, "%s%s%s", use->c->name, use->quantised ? ", " : "",
             use->quantised ? use->quantised->name : "");
    return name;
}

// Returns the p-th packing that fits the case's weight; NULL past the last.
static const struct fum_packing *find_packing(const struct fum_op_case *c, int p) {
    const struct fum_packing *const *at = fum_quantised_packings;
    for (; *at; at++)
        if (fum_quantised_fits(*at, &c->in[1].shape) && p-- == 0) return *at;
    return NULL;
}

int fum_case_packings(const struct fum_op_case *c) {
    int count = 0;
    while (c->quantised && find_packing(c, count)) count++;
    return c->quantised ? count : 1;
}

const struct fum_packing *fum_case_packing(const struct fum_op_case *c, int p) {
    return c->quantised ? find_packing(c, p) : NULL;
}

bool fum_case_has_type(const struct fum_op_case *c, enum fum_dtype dtype) {
    return !c->types || (c->types >> dtype & 1);
}

bool fum_case_is_large(const struct fum_case_use *use) {
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    if (!use->c->bench || !fum_case_call(use, &call, attr, NULL)) return false;
    int64_t elements = fum_shape_count(&call.out.shape);
    for (int i = 0; i < call.num_inputs; i++)
        if (call.has[i]) elements += fum_shape_count(&call.in[i].shape);
    return fum_op_flops(use->op, &call) > 0.2e9 || elements > 4 << 20;
}

// ---- inputs ----

static uint64_t mix(uint64_t x) { // splitmix64's finaliser
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static float unit(uint64_t key) {
    return (float)(mix(key) >> 40) * 0x1p-24f;
}

// Returns a standard normal number using Box and Muller's transform. Six digits are enough here.
static float normal(uint64_t key) {
    uint64_t bits = mix(key);
    float u = ((float)(bits >> 40) + 0.5f) * 0x1p-24f, v = (float)(bits & 0xffffff) * 0x1p-24f;
    return sqrtf(-2 * logf(u)) * cosf(6.2831853f * v);
}

static float fill_value(const struct fum_case_input *in, uint64_t key, int64_t i, int64_t count) {
    switch (in->fill) {
    case FUM_FILL_ZERO: return 0;
    case FUM_FILL_NORMAL: return normal(key);
    case FUM_FILL_HUGE: return fmaxf(-6e4f, fminf(6e4f, normal(key) * 1e4f));
    case FUM_FILL_TINY: return normal(key) * 1e-6f;
    case FUM_FILL_OFFSET: return 100 + normal(key);
    case FUM_FILL_INDEX: return (float)(mix(key) % (uint64_t)(in->limit > 0 ? in->limit : 1));
    case FUM_FILL_UNIT: return unit(key);
    case FUM_FILL_POSITIVE: return 0.5f + 1.5f * unit(key);
    case FUM_FILL_COUNT: return (float)i;
    case FUM_FILL_SPIKE: return i == count - 1 ? INFINITY : normal(key);
    case FUM_FILL_NAN: return i == count - 1 ? NAN : normal(key);
    }
    return 0;
}

uint64_t fum_case_seed(const struct fum_op_case *c, int i) {
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *p = c->name; *p; p++) hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    return hash + (uint64_t)i;
}

float *fum_case_fill(const struct fum_case_input *in, const struct fum_desc *desc, uint64_t seed) {
    int64_t n = fum_shape_count(&desc->shape);
    float *x = fum_alloc((size_t)n, sizeof *x);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = fum_round_to(desc->dtype, fill_value(in, mix(seed) + (uint64_t)i, i, n));
    return x;
}

// Packs `file`, the values of a quantised weight in the order of a file, and reads back what they
// became.
static void quantise(const struct fum_packing *packing, const struct fum_desc *dense,
                     const float *file, const struct fum_case_values *values) {
    // Weights of a stack follow one another, in the file's order and in memory.
    bool stacked = dense->shape.rank == 3;
    int64_t count = stacked ? dense->shape.dim[0] : 1;
    struct fum_desc one = *dense;
    if (stacked) one.shape = (struct fum_shape){2, {dense->shape.dim[1], dense->shape.dim[2]}};
    const struct fum_weight weight = {.desc = fum_packing_desc(packing, &one), .packing = packing};
    int64_t columns = fum_shape_channels(&one.shape), words = fum_shape_count(&weight.desc.shape);
    for (int64_t k = 0; k < count; k++) {
        struct fum_view view = packing->file_view(&weight.desc.shape);
        float *memory = values->memory + k * words;
        view.dtype = FUM_F32;
        view.data = file + k * fum_shape_count(&one.shape);
        const struct fum_pack_target to = {memory, FUM_F32, columns, 0,
                                           fum_shape_rows(&weight.desc.shape)};
        fum_pack_rows(&weight, &view, &to);
        fum_quantised_read(packing, &one.shape, (const uint32_t *)(const void *)memory,
                           values->dense + k * fum_shape_count(&one.shape));
    }
}

enum fum_result fum_case_values(const struct fum_case_use *use, const struct fum_op_call *call,
                                int i, struct fum_case_values *values, struct fum_error *err) {
    const struct fum_desc *dense = &call->in[i], memory = fum_call_memory(call, i);
    size_t count = (size_t)fum_shape_count(&dense->shape);
    float *x = fum_case_fill(&use->c->in[i], dense, fum_case_seed(use->c, i));
    *values = (struct fum_case_values){.dense = fum_alloc(count, sizeof(double))};
    values->memory =
        call->quantised[i] ? fum_alloc((size_t)fum_shape_count(&memory.shape), sizeof(float)) : x;
    bool enough = x && values->dense && values->memory;
    if (enough && call->quantised[i])
        quantise(call->quantised[i], dense, x, values);
    else if (enough)
        fum_widen_f32(values->dense, x, count);
    if (call->quantised[i]) fum_free(x);
    if (enough) return FUM_OK;
    fum_case_values_release(values);
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an input of an op case");
}

void fum_case_values_release(struct fum_case_values *values) {
    fum_free(values->dense);
    fum_free(values->memory);
    *values = (struct fum_case_values){0};
}

// ---- one run ----

struct run {
    fum_device *device;
    const struct fum_op *op;
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    struct fum_case_values in[FUM_MAX_INPUTS];
    float *want, *got;
    fum_buffer *in_buffer[FUM_MAX_INPUTS], *out_buffer, *scratch;
    struct fum_device_info info; // limits to plan for
    struct fum_dispatches list;
    fum_command *command;
};

// What padding, outputs and scratch hold at first: NaN in every storage type, -1 in i32.
enum { POISON = 0xff };

static enum fum_result create_poisoned(fum_buffer **buffer, fum_device *device, uint64_t bytes,
                                       const char *label, struct fum_error *err) {
    uint64_t size = bytes < 16 ? 16 : bytes;
    enum fum_result r = fum_buffer_create(
        buffer, device,
        &(struct fum_buffer_params){.bytes = size, .use = FUM_BUFFER_DEVICE, .label = label}, err);
    uint8_t *poison = r ? NULL : fum_alloc(size, 1);
    if (!r && !poison)
        r = fum_error_set(err, FUM_ERR_NOMEM, "no memory for %s of an op case", label);
    if (!r) {
        memset(poison, POISON, size);
        r = fum_buffer_write(*buffer, 0, poison, size, err);
    }
    fum_free(poison);
    return r;
}

enum fum_result fum_case_write(fum_buffer *buffer, const struct fum_desc *desc, const float *x,
                               struct fum_error *err) {
    uint64_t bytes = fum_desc_bytes(desc), row = fum_desc_row_bytes(desc);
    int64_t channels = fum_shape_channels(&desc->shape);
    if (!bytes) return FUM_OK;
    uint8_t *padded = fum_alloc(bytes, 1);
    if (!padded) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an input of an op case");
    memset(padded, POISON, bytes);
    for (int64_t r = 0; r < fum_shape_rows(&desc->shape); r++)
        fum_convert_from_f32(padded + (uint64_t)r * row, desc->dtype, x + r * channels,
                             (size_t)channels);
    enum fum_result r = fum_buffer_write(buffer, 0, padded, bytes, err);
    fum_free(padded);
    return r;
}

static enum fum_result read_rows(fum_buffer *buffer, const struct fum_desc *desc, float *x,
                                 struct fum_error *err) {
    uint64_t bytes = fum_desc_bytes(desc), row = fum_desc_row_bytes(desc);
    int64_t channels = fum_shape_channels(&desc->shape);
    if (!bytes) return FUM_OK;
    uint8_t *padded = fum_alloc(bytes, 1);
    if (!padded) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the output of an op case");
    enum fum_result result = fum_buffer_read(buffer, 0, padded, bytes, err);
    for (int64_t r = 0; !result && r < fum_shape_rows(&desc->shape); r++)
        fum_convert_to_f32(x + r * channels, padded + (uint64_t)r * row, desc->dtype,
                           (size_t)channels);
    fum_free(padded);
    return result;
}

enum fum_result fum_case_plan(const struct fum_case_job *job, const struct fum_op_case *c,
                              struct fum_device_info *info, struct fum_error *err) {
    const struct fum_op *op = job->op;
    struct fum_dispatches *list = job->list;
    *info = *fum_device_get_info(job->device);
    if (c->max_binding && c->max_binding < info->max_binding) info->max_binding = c->max_binding;
    if (c->as_gpu && info->type == FUM_DEVICE_CPU) info->type = FUM_DEVICE_DISCRETE;
    list->info = info;
    list->tuning = fum_device_tuning(job->device);
    if (!op->dispatch || op->dispatch(job->call, list)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "op %s, case '%s': %s", op->name, c->name,
                         list->why.text);
}

// Returns how many elements a call computes: all that it writes in place, or its output.
static size_t result_count(const struct fum_op *op, const struct fum_op_call *call) {
    int64_t count = op->updates ? 0 : fum_shape_count(&call->out.shape);
    for (int i = 0; i < call->num_inputs; i++)
        if (op->updates >> i & 1) count += fum_shape_count(&call->in[i].shape);
    return (size_t)count;
}

// Fills the run's expected values from the op's reference, rounded to f32 as kernels compute.
static enum fum_result compute_reference(struct run *run, struct fum_error *err) {
    const double *in[FUM_MAX_INPUTS];
    size_t count = result_count(run->op, &run->call);
    double *out = fum_alloc(count, sizeof *out);
    if (!out) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an op case");
    for (int i = 0; i < FUM_MAX_INPUTS; i++) in[i] = run->in[i].dense;
    run->op->reference(&run->call, in, out);
    for (size_t i = 0; i < count; i++) run->want[i] = (float)out[i];
    fum_free(out);
    return FUM_OK;
}

static enum fum_result prepare_run(struct run *run, const struct fum_case_use *use,
                                   struct fum_error *err) {
    const struct fum_case_job job = {
        .device = run->device, .op = run->op, .call = &run->call, .list = &run->list};
    enum fum_result r = fum_case_plan(&job, use->c, &run->info, err);
    for (int i = 0; !r && i < run->call.num_inputs; i++) {
        const struct fum_desc desc = fum_call_memory(&run->call, i);
        if (!run->call.has[i]) continue;
        r = fum_case_values(use, &run->call, i, &run->in[i], err);
        if (!r)
            r = create_poisoned(&run->in_buffer[i], run->device, fum_desc_bytes(&desc), "input",
                                err);
        if (!r) r = fum_case_write(run->in_buffer[i], &desc, run->in[i].memory, err);
    }
    if (!r)
        r = create_poisoned(&run->out_buffer, run->device, fum_desc_bytes(&run->call.out), "output",
                            err);
    if (!r)
        r = create_poisoned(&run->scratch, run->device, run->list.scratch_bytes, "scratch", err);
    if (r) return r;

    size_t count = result_count(run->op, &run->call);
    run->want = fum_alloc(count, sizeof *run->want);
    run->got = fum_alloc(count, sizeof *run->got);
    if (!run->want || !run->got)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an op case");
    return compute_reference(run, err);
}

// Reads what the call computed: its output in `out`, or all inputs that it wrote in place.
static enum fum_result read_results(struct run *run, fum_buffer *out, struct fum_error *err) {
    const struct fum_op_call *call = &run->call;
    float *next = run->got;
    enum fum_result result = FUM_OK;
    if (!run->op->updates) return read_rows(out, &call->out, next, err);
    for (int i = 0; i < call->num_inputs && !result; i++) {
        if (!(run->op->updates >> i & 1)) continue;
        result = read_rows(run->in_buffer[i], &call->in[i], next, err);
        next += fum_shape_count(&call->in[i].shape);
    }
    return result;
}

// Records and runs the dispatches with the output in `out`, and reads it.
static enum fum_result execute(struct run *run, fum_buffer *out, struct fum_case_result *result,
                               struct fum_error *err) {
    uint64_t ticket;
    double start = 0, end = 0;
    struct fum_case_memory memory = {.out = out, .scratch = run->scratch};
    const struct fum_case_job job = {.device = run->device,
                                     .op = run->op,
                                     .call = &run->call,
                                     .list = &run->list,
                                     .memory = &memory};
    memcpy(memory.in, run->in_buffer, sizeof memory.in);
    enum fum_result r = fum_command_create(&run->command, run->device, run->op->name, err);
    if (!r) r = fum_command_timestamp(run->command, 0, err);
    if (!r) r = fum_case_record(run->command, &job, err);
    if (!r) r = fum_command_timestamp(run->command, 1, err);
    if (!r) r = fum_command_end(run->command, err);
    if (!r) r = fum_command_submit(run->command, &ticket, err);
    if (!r) r = fum_device_wait(run->device, ticket, err);
    if (!r && run->info.timestamp_period > 0) {
        r = fum_command_read_timestamp(run->command, 0, &start, err);
        if (!r) r = fum_command_read_timestamp(run->command, 1, &end, err);
        result->gpu_nanoseconds = end - start;
    }
    if (!r) {
        result->dispatches = fum_command_dispatches(run->command);
        result->barriers = fum_command_barriers(run->command);
        r = read_results(run, out, err);
    }
    fum_command_destroy(&run->command);
    return r;
}

// Computes the relative RMS error |got - expected| / |expected| and finds the element furthest off.
// Infinities and NaN must be the same in both.
static void compare_results(const struct run *run, struct fum_case_result *result) {
    double diff = 0, norm = 0, furthest = -1;
    int64_t n = (int64_t)result_count(run->op, &run->call);
    bool wrong = false;
    result->worst = -1;
    for (int64_t i = 0; i < n; i++) {
        double want = run->want[i], got = run->got[i], off = fabs(got - want);
        if (!isfinite(want) || !isfinite(got)) {
            if (want == got || (isnan(want) && isnan(got))) continue;
            off = INFINITY;
            wrong = true;
        } else {
            diff += off * off;
            norm += want * want;
        }
        if (off > furthest) furthest = off, result->worst = i;
    }
    if (result->worst >= 0)
        result->got = run->got[result->worst], result->want = run->want[result->worst];
    result->error = wrong ? INFINITY : sqrt(norm > 0 ? diff / norm : diff);
    result->pass = result->error <= result->bound;
    result->hash = 14695981039346656037u; // FNV-1a
    for (int64_t i = 0; i < n; i++)
        result->hash = (result->hash ^ fum_bits_of(run->got[i])) * 1099511628211u;
}

static void release_run(struct run *run) {
    fum_command_destroy(&run->command);
    for (int i = 0; i < FUM_MAX_INPUTS; i++) {
        fum_buffer_destroy(&run->in_buffer[i]);
        fum_case_values_release(&run->in[i]);
    }
    fum_buffer_destroy(&run->out_buffer);
    fum_buffer_destroy(&run->scratch);
    fum_free(run->want);
    fum_free(run->got);
}

enum fum_result fum_case_run(fum_device *device, const struct fum_case_use *use,
                             struct fum_case_result *result, struct fum_error *err) {
    static const double bounds[] = {[FUM_F32] = 1e-5, [FUM_F16] = 2e-3, [FUM_BF16] = 1.6e-2};
    const struct fum_op *op = use->op;
    const struct fum_op_case *c = use->c;
    const enum fum_dtype dtype = use->dtype;
    struct fum_why why = {{0}};
    double start = fum_time_now();
    if (dtype > FUM_BF16)
        return fum_error_set(err, FUM_ERR_ARG, "%s is no storage type", fum_dtype_name(dtype));
    struct run *run = fum_calloc(1, sizeof *run);
    if (!run) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an op case");
    *result = (struct fum_case_result){
        .bound = c->bound[dtype] > 0 ? c->bound[dtype] : bounds[dtype], .worst = -1};
    run->device = device;
    run->op = op;

    enum fum_result r = FUM_OK;
    if (!fum_case_call(use, &run->call, run->attr, &why))
        r = fum_error_set(err, FUM_ERR_ARG, "op %s, case '%s': %s", op->name, c->name, why.text);
    if (!r) r = prepare_run(run, use, err);
    if (run->list.rounding > result->bound) result->bound = run->list.rounding;
    if (!r) {
        bool in_first = (op->flags & FUM_OP_ALIAS) || op->updates;
        r = execute(run, in_first ? run->in_buffer[0] : run->out_buffer, result, err);
        result->flops = fum_op_flops(op, &run->call);
        if (!r) compare_results(run, result);
    }
    if (!r && result->pass && (op->flags & FUM_OP_IN_PLACE) &&
        run->call.in[0].dtype == run->call.out.dtype &&
        fum_shape_same(&run->call.in[0].shape, &run->call.out.shape)) {
        struct fum_case_result in_place = *result;
        r = execute(run, run->in_buffer[0], &in_place, err);
        if (!r) compare_results(run, &in_place);
        if (!r && in_place.error > result->error) *result = in_place;
    }
    result->seconds = fum_time_now() - start;
    release_run(run);
    fum_free(run);
    return r;
}
