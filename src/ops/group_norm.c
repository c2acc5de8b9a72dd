// Group norm with optional activation: Wu and He (2018). x [batch, .., channels], gamma, beta [channels]; statistics
// over a batch's rows and the channels of a group. Three steps with f32 scratch between them: statistics of chunks of
// rows, a factor and an addend per channel, and their application.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/part.h"
#include "ops/unary.h"

enum { GROUPS, EPS, ACT };
static const struct fum_attr_def attrs[] = {{"groups", 32}, {"eps", 1e-5}, {"act", 0}, {NULL, 0}};

// Rows that an invocation of the last step handles.
enum { BLOCK = 8 };

struct plan {
    int64_t batches, rows, channels, quads, groups;
    int64_t chunk, chunks;   // rows of a chunk, chunks of a batch
    int64_t whole, fit;      // batches, or chunks of one batch, that fit a binding
    uint64_t stats, factors; // bytes in scratch; the factors start at `stats`
};

static bool infer(struct fum_op_call *call, char *why, size_t why_size) {
    const struct fum_shape *x = &call->in[0].shape;
    int64_t channels = fum_shape_channels(x), groups = (int64_t)call->attr[GROUPS];
    if (x->rank < 2) {
        snprintf(why, why_size, "x must be [batch, .., channels]");
        return false;
    }
    if (groups < 1 || channels % groups != 0) {
        snprintf(why, why_size, "%lld channels do not divide into %lld groups", (long long)channels, (long long)groups);
        return false;
    }
    for (int i = 1; i <= 2; i++) {
        const struct fum_shape *s = &call->in[i].shape;
        if (fum_shape_channels(s) != channels || fum_shape_rows(s) != 1) {
            snprintf(why, why_size, "%s must have x's %lld channels", i == 1 ? "gamma" : "beta", (long long)channels);
            return false;
        }
    }
    call->out = call->in[0];
    return true;
}

static void reference(const struct fum_op_call *call, const float *const *in, float *out) {
    int64_t batches = call->out.shape.dim[0], c = fum_shape_channels(&call->out.shape);
    int64_t rows = batches ? fum_shape_rows(&call->out.shape) / batches : 0, groups = (int64_t)call->attr[GROUPS];
    int64_t each = c / groups;
    double n = (double)(rows * each);
    for (int64_t b = 0; b < batches; b++) {
        for (int64_t g = 0; g < groups; g++) {
            int64_t base = b * rows * c + g * each;
            double mean = 0, var = 0;
            for (int64_t r = 0; r < rows; r++)
                for (int64_t i = 0; i < each; i++) mean += in[0][base + r * c + i] / n;
            for (int64_t r = 0; r < rows; r++)
                for (int64_t i = 0; i < each; i++) var += pow(in[0][base + r * c + i] - mean, 2) / n;
            for (int64_t r = 0; r < rows; r++) {
                for (int64_t i = 0; i < each; i++) {
                    double v = (in[0][base + r * c + i] - mean) / sqrt(var + call->attr[EPS]);
                    v = v * in[1][g * each + i] + in[2][g * each + i];
                    out[base + r * c + i] = (float)fum_act_reference((enum fum_act)call->attr[ACT], v);
                }
            }
        }
    }
}

static bool make_plan(const struct fum_op_call *call, const struct fum_device_info *info, struct plan *p, char *why,
                      size_t why_size) {
    const struct fum_desc *x = &call->in[0];
    p->batches = x->shape.dim[0];
    p->rows = fum_shape_rows(&x->shape) / p->batches;
    p->channels = fum_shape_channels(&x->shape);
    p->quads = fum_shape_row_quads(&x->shape);
    p->groups = (int64_t)call->attr[GROUPS];
    // Chunks of 64 rows, longer where more than 256 would be needed.
    int64_t most = fum_min_i64(fum_rows_per_binding(info, x), INT32_MAX);
    p->chunk = (p->rows + 255) / 256 < 64 ? 64 : (p->rows + 255) / 256;
    p->chunk = fum_min_i64(fum_min_i64(p->chunk, p->rows), most < 1 ? 1 : most);
    p->chunks = (p->rows + p->chunk - 1) / p->chunk;
    p->whole = most / p->rows;
    p->fit = most / p->chunk;
    uint64_t pair = (uint64_t)p->quads * 32, align = info->binding_align ? info->binding_align : 1;
    p->stats = ((uint64_t)(p->batches * p->chunks) * pair + align - 1) / align * align;
    p->factors = (uint64_t)p->batches * pair;
    if (most < 1 || p->stats > info->max_binding) {
        snprintf(why, why_size, "%s over the device's largest binding of %llu bytes",
                 most < 1 ? "one row is" : "the statistics are", (unsigned long long)info->max_binding);
        return false;
    }
    return true;
}

// Adds a dispatch of `invocations` invocations; NULL, with `why`, when the limits do not allow it.
static struct fum_dispatch *add(struct fum_dispatches *list, const char *shader, enum fum_dtype dtype,
                                const struct plan *p, int64_t invocations, char *why, size_t why_size) {
    uint32_t lanes = fum_lanes(list->info);
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d) {
        snprintf(why, why_size, "needs more than %d dispatches to fit the device's bindings", FUM_MAX_DISPATCHES);
        return NULL;
    }
    *d = (struct fum_dispatch){.shader = shader, .dtype = dtype, .spec = {lanes, 1, 1}, .num_spec = 3,
                               .push = {(uint32_t)p->quads}, .num_push = 1};
    if (!fum_groups_1d(list->info, ((uint64_t)invocations + lanes - 1) / lanes, d->groups)) {
        snprintf(why, why_size, "needs more workgroups than the device has");
        return NULL;
    }
    return d;
}

static bool add_stats(const struct fum_op_call *call, const struct plan *p, struct fum_dispatches *list, char *why,
                      size_t why_size) {
    struct fum_part part = {0};
    while (fum_part_next(&part, p->batches, p->chunks, p->whole, p->fit)) {
        struct fum_dispatch *d = add(list, "group_norm_stats", call->out.dtype, p,
                                     part.batches * part.count * p->quads, why, why_size);
        if (!d) return false;
        int64_t first = part.first * p->chunk, last = fum_min_i64(first + part.count * p->chunk, p->rows);
        uint32_t x_skip;
        fum_bind_rows(list, d, 0, 0, false, &call->in[0], part.batch * p->rows + first,
                      (part.batches - 1) * p->rows + last - first, &x_skip);
        d->bind[1] = (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .write = true, .bytes = p->stats};
        d->num_bind = 2;
        const uint32_t push[] = {(uint32_t)p->chunk,    (uint32_t)p->rows,   (uint32_t)last,      (uint32_t)part.count,
                                 (uint32_t)part.first,  (uint32_t)p->chunks, (uint32_t)part.batches,
                                 (uint32_t)part.batch,  x_skip};
        memcpy(d->push + 1, push, sizeof push);
        d->num_push += (int)(sizeof push / sizeof *push);
    }
    return true;
}

static bool add_scale(const struct fum_op_call *call, const struct plan *p, struct fum_dispatches *list, char *why,
                      size_t why_size) {
    struct fum_dispatch *d = add(list, "group_norm_scale", call->out.dtype, p, p->batches * p->groups, why, why_size);
    if (!d) return false;
    d->bind[0] = (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .bytes = p->stats};
    d->bind[1] = (struct fum_dispatch_bind){.operand = 1};
    d->bind[2] = (struct fum_dispatch_bind){.operand = 2};
    d->bind[3] = (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .write = true, .offset = p->stats,
                                            .bytes = p->factors};
    d->num_bind = 4;
    float eps = (float)call->attr[EPS];
    const uint32_t push[] = {(uint32_t)p->chunk, (uint32_t)p->groups, (uint32_t)(p->channels / p->groups),
                             (uint32_t)p->rows, (uint32_t)p->chunks, (uint32_t)p->batches};
    memcpy(d->push + 1, push, sizeof push);
    memcpy(&d->push[7], &eps, sizeof eps);
    d->num_push = 8;
    return true;
}

static bool add_apply(const struct fum_op_call *call, const struct plan *p, struct fum_dispatches *list, char *why,
                      size_t why_size) {
    struct fum_part part = {0};
    while (fum_part_next(&part, p->batches, p->rows, p->whole, p->fit * p->chunk)) {
        int64_t blocks = (part.count + BLOCK - 1) / BLOCK;
        struct fum_dispatch *d = add(list, "group_norm_apply", call->out.dtype, p, part.batches * blocks * p->quads,
                                     why, why_size);
        if (!d) return false;
        d->spec[d->num_spec++] = BLOCK;
        d->spec[d->num_spec++] = (uint32_t)call->attr[ACT];
        int64_t first = part.batch * p->rows + part.first, count = part.batches * part.count;
        uint32_t x_skip, y_skip;
        fum_bind_rows(list, d, 0, 0, false, &call->in[0], first, count, &x_skip);
        d->bind[1] = (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .offset = p->stats, .bytes = p->factors};
        fum_bind_rows(list, d, 2, FUM_OUT, true, &call->out, first, count, &y_skip);
        d->num_bind = 3;
        const uint32_t push[] = {(uint32_t)part.count, (uint32_t)blocks, (uint32_t)part.batches, (uint32_t)part.batch,
                                 x_skip, y_skip};
        memcpy(d->push + 1, push, sizeof push);
        d->num_push += (int)(sizeof push / sizeof *push);
    }
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list, char *why, size_t why_size) {
    struct plan p;
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (!make_plan(call, list->info, &p, why, why_size)) return false;
    list->scratch_bytes = p.stats + p.factors;
    return add_stats(call, &p, list, why, why_size) && add_scale(call, &p, list, why, why_size) &&
           add_apply(call, &p, list, why, why_size);
}

const struct fum_op fum_op_group_norm = {
    .name = "group_norm",
    .attrs = attrs,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .act_attr = "act",
};
