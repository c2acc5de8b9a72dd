// SPDX-License-Identifier: MIT
// Group norm's statistics: in one dispatch, a workgroup for each batch and group, where those are
// many or x is small and fits a binding; else those of chunks of rows first, which are merged by a
// second dispatch.
#include "ops/lib/group_norm_factors.h"
#include "base/macros.h"
#include "ops/lib/emit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct fum_attr_def fum_group_norm_attrs[] = {
    {"groups", 32}, {"eps", 1e-5}, {"act", 0}, {NULL, 0}};

struct fum_desc fum_group_norm_x(const struct fum_op_call *call) {
    struct fum_desc x = call->in[FUM_GROUP_NORM_X];
    if (call->has[FUM_GROUP_NORM_X1])
        x.shape.dim[x.shape.rank - 1] += fum_shape_channels(&call->in[FUM_GROUP_NORM_X1].shape);
    return x;
}

static bool check_second(const struct fum_op_call *call) {
    const struct fum_desc *x = &call->in[FUM_GROUP_NORM_X], *y = &call->in[FUM_GROUP_NORM_X1];
    if (!call->has[FUM_GROUP_NORM_X1]) return true;
    bool fits = x->dtype == y->dtype && x->shape.rank == y->shape.rank &&
                fum_shape_channels(&x->shape) % 4 == 0;
    for (int i = 0; fits && i + 1 < x->shape.rank; i++) fits = x->shape.dim[i] == y->shape.dim[i];
    return fits;
}

bool fum_group_norm_check(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc x = fum_group_norm_x(call);
    int64_t channels = fum_shape_channels(&x.shape),
            groups = (int64_t)call->attr[FUM_GROUP_NORM_GROUPS];
    if (x.shape.rank < 2 || !check_second(call))
        return fum_refuse(
            why, "x must be [batch, .., channels], a second one like it, and the first then of 4 n "
                 "channels");
    if (groups < 1 || channels % groups != 0)
        return fum_refuse(why, "%lld channels do not divide into %lld groups", (long long)channels,
                          (long long)groups);
    for (int i = FUM_GROUP_NORM_GAMMA; i <= FUM_GROUP_NORM_BETA; i++) {
        const struct fum_shape *s = &call->in[i].shape;
        if (fum_shape_channels(s) != channels || fum_shape_rows(s) != 1)
            return fum_refuse(why, "%s must have x's %lld channels",
                              i == FUM_GROUP_NORM_GAMMA ? "gamma" : "beta", (long long)channels);
    }
    return true;
}

double fum_group_norm_value(const struct fum_op_call *call, const double *const *in, int64_t row,
                            int64_t channel) {
    int64_t c = fum_shape_channels(&call->in[FUM_GROUP_NORM_X].shape);
    if (channel < c) return in[FUM_GROUP_NORM_X][row * c + channel];
    return in[FUM_GROUP_NORM_X1]
             [row * fum_shape_channels(&call->in[FUM_GROUP_NORM_X1].shape) + channel - c];
}

void fum_group_norm_statistics(const struct fum_op_call *call, const double *const *in,
                               int64_t batch, int64_t group, double *mean, double *variance) {
    const struct fum_desc x = fum_group_norm_x(call);
    int64_t each = fum_shape_channels(&x.shape) / (int64_t)call->attr[FUM_GROUP_NORM_GROUPS];
    int64_t rows = fum_shape_rows(&x.shape) / x.shape.dim[0], first = group * each;
    double n = (double)(rows * each);
    *mean = *variance = 0;
    for (int64_t r = batch * rows; r < (batch + 1) * rows; r++)
        for (int64_t i = first; i < first + each; i++)
            *mean += fum_group_norm_value(call, in, r, i) / n;
    for (int64_t r = batch * rows; r < (batch + 1) * rows; r++)
        for (int64_t i = first; i < first + each; i++)
            *variance += pow(fum_group_norm_value(call, in, r, i) - *mean, 2) / n;
}

bool fum_group_norm_plan(const struct fum_op_call *call, const struct fum_device_info *info,
                         struct fum_group_norm *g, struct fum_why *why) {
    const struct fum_desc joined = fum_group_norm_x(call), *x = &joined;
    g->batches = x->shape.dim[0];
    g->rows = fum_shape_rows(&x->shape) / g->batches;
    g->channels = fum_shape_channels(&x->shape);
    g->quads = fum_shape_row_quads(&x->shape);
    g->groups = (int64_t)call->attr[FUM_GROUP_NORM_GROUPS];
    // Chunks of 64 rows, longer where more than 256 would be needed.
    int64_t most = fum_min_i64(fum_rows_per_binding(info, x), INT32_MAX);
    g->chunk = (g->rows + 255) / 256 < 64 ? 64 : (g->rows + 255) / 256;
    g->chunk = fum_min_i64(fum_min_i64(g->chunk, g->rows), most < 1 ? 1 : most);
    g->chunks = FUM_DIV_UP(g->rows, g->chunk);
    g->whole = most / g->rows;
    g->fit = most / g->chunk;
    g->chunked =
        g->whole < g->batches || (g->batches * g->groups < 16 && g->rows * g->quads > 4096);
    if (g->chunked && call->has[FUM_GROUP_NORM_X1])
        return fum_refuse(why, "a second x needs groups that fit a binding and workgroups");
    uint64_t pair = (uint64_t)g->quads * 32, align = info->binding_align ? info->binding_align : 1;
    g->stats = g->chunked ? FUM_ALIGN_UP((uint64_t)(g->batches * g->chunks) * pair, align) : 0;
    g->factors = (uint64_t)g->batches * pair;
    if (most >= 1 && g->stats <= info->max_binding && g->factors <= info->max_binding) return true;
    return fum_refuse(why, "%s over the device's largest binding of %llu bytes",
                      most < 1 ? "one row is" : "the statistics are",
                      (unsigned long long)info->max_binding);
}

static struct fum_dispatch *add(struct fum_dispatches *list, const char *shader,
                                enum fum_dtype dtype, const struct fum_group_norm *g,
                                uint32_t lanes, uint64_t groups) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d) {
        fum_refuse(&list->why, "needs more than %d dispatches to fit the device's bindings",
                   FUM_MAX_DISPATCHES);
        return NULL;
    }
    *d = (struct fum_dispatch){.shader = shader,
                               .dtype = dtype,
                               .spec = {lanes, 1, 1},
                               .num_spec = 3,
                               .push = {(uint32_t)g->quads},
                               .num_push = 1};
    if (!fum_groups_1d(list->info, groups, d->groups)) {
        fum_refuse(&list->why, "needs more workgroups than the device has");
        return NULL;
    }
    return d;
}

struct fum_dispatch *fum_group_norm_add(struct fum_dispatches *list, const char *shader,
                                        enum fum_dtype dtype, const struct fum_group_norm *g,
                                        int64_t invocations) {
    uint32_t lanes = fum_lanes(list->info);
    return add(list, shader, dtype, g, lanes, FUM_DIV_UP((uint64_t)invocations, lanes));
}

static bool add_chunks(const struct fum_op_call *call, const struct fum_group_norm *g,
                       struct fum_dispatches *list) {
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->chunks, g->whole, g->fit)) {
        struct fum_dispatch *d = fum_group_norm_add(list, "group_norm_stats", call->in[0].dtype, g,
                                                    part.batches * part.count * g->quads);
        if (!d) return false;
        int64_t first = part.first * g->chunk,
                last = fum_min_i64(first + part.count * g->chunk, g->rows);
        uint32_t x_skip;
        fum_bind_rows(list, d, 0, 0, false, &call->in[0], part.batch * g->rows + first,
                      (part.batches - 1) * g->rows + last - first, &x_skip);
        d->bind[1] =
            (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .write = true, .bytes = g->stats};
        d->num_bind = 2;
        const uint32_t push[] = {(uint32_t)g->chunk,     (uint32_t)g->rows,    (uint32_t)last,
                                 (uint32_t)part.count,   (uint32_t)part.first, (uint32_t)g->chunks,
                                 (uint32_t)part.batches, (uint32_t)part.batch, x_skip};
        memcpy(d->push + 1, push, sizeof push);
        d->num_push += (int)FUM_COUNT(push);
    }
    return true;
}

static bool add_merge(const struct fum_op_call *call, const struct fum_group_norm *g,
                      const struct fum_dispatch_bind *to, struct fum_dispatches *list) {
    struct fum_dispatch *d =
        fum_group_norm_add(list, "group_norm_scale", call->in[0].dtype, g, g->batches * g->groups);
    if (!d) return false;
    d->bind[0] = (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .bytes = g->stats};
    d->bind[1] = (struct fum_dispatch_bind){.operand = 1};
    d->bind[2] = (struct fum_dispatch_bind){.operand = 2};
    d->bind[3] = *to;
    d->num_bind = 4;
    float eps = (float)call->attr[FUM_GROUP_NORM_EPS];
    const uint32_t push[] = {
        (uint32_t)g->chunk, (uint32_t)g->groups, (uint32_t)(g->channels / g->groups),
        (uint32_t)g->rows,  (uint32_t)g->chunks, (uint32_t)g->batches};
    memcpy(d->push + 1, push, sizeof push);
    memcpy(&d->push[7], &eps, sizeof eps);
    d->num_push = 8;
    return true;
}

// Lanes for a workgroup that takes one group of one batch: a power of two.
static uint32_t lanes_for(const struct fum_device_info *info, int64_t quads) {
    uint32_t want = info->type == FUM_DEVICE_CPU ? 8 : quads > 1 << 14 ? 1024 : 256, lanes = 1;
    while (lanes * 2 <= want && lanes * 2 <= info->max_group_invocations &&
           lanes * 2 <= info->max_group_size[0])
        lanes *= 2;
    return lanes;
}

struct fum_dispatch *fum_group_norm_add_groups(struct fum_dispatches *list, const char *shader,
                                               const char *texel_shader,
                                               const struct fum_op_call *call,
                                               const struct fum_group_norm *g, int64_t batches,
                                               int64_t span) {
    int64_t each = g->channels / g->groups;
    uint32_t lanes = lanes_for(list->info, g->rows * (each * span + 3) / 4);
    bool texels = fum_texels_pay(list->info, list->tuning, call->in[0].dtype);
    struct fum_dispatch *d = add(list, texels ? texel_shader : shader, call->in[0].dtype, g, lanes,
                                 (uint64_t)(batches * g->groups / span));
    if (!d) return NULL;
    bool two = call->has[FUM_GROUP_NORM_X1];
    d->texels = texels ? 0x17 : 0; // all but the output
    d->spec[d->num_spec++] = lanes;
    d->spec[d->num_spec++] = list->info->type == FUM_DEVICE_CPU; // along rows no lane idles
    d->spec[d->num_spec++] = two;
    for (int i = 0; i < 3; i++) d->bind[i] = (struct fum_dispatch_bind){.operand = i};
    d->bind[4] = (struct fum_dispatch_bind){.operand = two ? FUM_GROUP_NORM_X1 : FUM_GROUP_NORM_X};
    d->num_bind = 5;
    float eps = (float)call->attr[FUM_GROUP_NORM_EPS];
    const uint32_t push[] = {(uint32_t)g->groups, (uint32_t)each, (uint32_t)g->rows,
                             (uint32_t)batches};
    memcpy(d->push + 1, push, sizeof push);
    memcpy(&d->push[5], &eps, sizeof eps);
    d->push[6] = (uint32_t)fum_shape_row_quads(&call->in[FUM_GROUP_NORM_X].shape);
    d->num_push = 7;
    return d;
}

bool fum_group_norm_factors(const struct fum_op_call *call, const struct fum_group_norm *g,
                            const struct fum_dispatch_bind *to, struct fum_dispatches *list) {
    if (g->chunked) return add_chunks(call, g, list) && add_merge(call, g, to, list);
    struct fum_dispatch *d = fum_group_norm_add_groups(
        list, "group_norm_affine", "group_norm_affine_texel", call, g, g->batches, 1);
    if (!d) return false;
    d->bind[3] = *to;
    return true;
}
