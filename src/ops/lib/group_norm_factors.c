// SPDX-License-Identifier: MIT
// Computes group norm's statistics. One dispatch has a workgroup for each batch and group, where
// those are many or x is small and fits a binding. Else the statistics of chunks of rows come
// first, and another dispatch merges them.
#include "ops/lib/group_norm_factors.h"
#include "ops/lib/device_class.h"
#include "ops/lib/emit.h"
#include "ops/lib/texels.h"
#include "shaders/group_norm_scale.pc.h"
#include "shaders/group_norm_stats.pc.h"

#include <math.h>

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
        return fum_refuse(why, "x must be [batch, .., channels], a second one like it, and the "
                               "first then of 4 n channels");
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

struct fum_moments fum_group_norm_moments(const struct fum_op_call *call, const double *const *in,
                                          int64_t batch, int64_t group) {
    const struct fum_desc x = fum_group_norm_x(call);
    int64_t each = fum_shape_channels(&x.shape) / (int64_t)call->attr[FUM_GROUP_NORM_GROUPS];
    int64_t rows = fum_shape_rows(&x.shape) / x.shape.dim[0], first = group * each;
    double n = (double)(rows * each);
    struct fum_moments m = {0, 0};
    for (int64_t r = batch * rows; r < (batch + 1) * rows; r++)
        for (int64_t i = first; i < first + each; i++)
            m.mean += fum_group_norm_value(call, in, r, i) / n;
    for (int64_t r = batch * rows; r < (batch + 1) * rows; r++)
        for (int64_t i = first; i < first + each; i++)
            m.variance += pow(fum_group_norm_value(call, in, r, i) - m.mean, 2) / n;
    return m;
}

// Batches times groups from which the barriers of their workgroups take longer than two more
// dispatches, where barriers are slow. Training has so many, generation does not.
enum { MANY_GROUPS = 128 };

bool fum_group_norm_plan(const struct fum_op_call *call, const struct fum_device_info *info,
                         struct fum_group_norm *g, struct fum_why *why) {
    const struct fum_desc joined = fum_group_norm_x(call), *x = &joined;
    g->batches = x->shape.dim[0];
    g->rows = fum_shape_rows(&x->shape) / g->batches;
    g->channels = fum_shape_channels(&x->shape);
    g->quads = fum_shape_row_quads(&x->shape);
    g->groups = (int64_t)call->attr[FUM_GROUP_NORM_GROUPS];
    // Chunks of 64 rows, longer where more than 256 would be needed.
    int64_t most = FUM_MIN(fum_rows_per_binding(info, x), INT32_MAX);
    g->chunk = (g->rows + 255) / 256 < 64 ? 64 : (g->rows + 255) / 256;
    g->chunk = FUM_MIN(FUM_MIN(g->chunk, g->rows), most < 1 ? 1 : most);
    g->chunks = FUM_DIV_UP(g->rows, g->chunk);
    g->cut = (struct fum_cut){most / g->rows, most / g->chunk};
    g->small = !call->has[FUM_GROUP_NORM_X1] && fum_device_class_of(info)->shared_is_slow &&
               g->batches * g->groups >= MANY_GROUPS;
    g->chunked = g->small || g->cut.whole < g->batches ||
                 (g->batches * g->groups < 16 && g->rows * g->quads > 4096);
    if (g->chunked && call->has[FUM_GROUP_NORM_X1])
        return fum_refuse(why, "a second x needs groups that fit a binding and workgroups");
    uint64_t pair = (uint64_t)g->quads * 32, align = FUM_MAX(info->binding_align, 1);
    g->stats = g->chunked ? FUM_ALIGN_UP((uint64_t)(g->batches * g->chunks) * pair, align) : 0;
    g->factors = (uint64_t)g->batches * pair;
    if (most < 1) return fum_refuse_size(why, info, "one row");
    if (g->stats <= info->max_binding && g->factors <= info->max_binding) return true;
    return fum_refuse_size(why, info, "the block of statistics");
}

static bool add_chunks(const struct fum_op_call *call, const struct fum_group_norm *g,
                       struct fum_dispatches *list) {
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->chunks, g->cut)) {
        int64_t first = part.first * g->chunk, row = part.batch * g->rows + first,
                last = FUM_MIN(first + part.count * g->chunk, g->rows);
        struct fum_dispatch *d =
            fum_emit_reading(list, "group_norm_stats", call->in[0].dtype,
                             (uint64_t)(part.batches * part.count * g->quads), 1);
        if (!d) return false;
        const struct fum_rows x = {&call->in[0], row, (part.batches - 1) * g->rows + last - first};
        struct fum_group_norm_stats_push push = {
            .quads = (uint32_t)g->quads,
            .chunk_rows = (uint32_t)g->chunk,
            .rows = (uint32_t)g->rows,
            .last_row = (uint32_t)last,
            .chunks = (uint32_t)part.count,
            .first_chunk = (uint32_t)part.first,
            .batch_chunks = (uint32_t)g->chunks,
            .batches = (uint32_t)part.batches,
            .first_batch = (uint32_t)part.batch,
        };
        push.x_skip = fum_emit_rows(list, d, FUM_GROUP_NORM_X, x);
        fum_emit_bind(d, fum_bind_scratch(0, g->stats, true));
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

static bool add_merge(const struct fum_op_call *call, const struct fum_group_norm *g,
                      const struct fum_dispatch_bind *to, struct fum_dispatches *list) {
    struct fum_dispatch *d =
        fum_emit(list, "group_norm_scale", call->in[0].dtype, (uint64_t)(g->batches * g->groups));
    if (!d) return false;
    fum_emit_bind(d, fum_bind_scratch(0, g->stats, false));
    fum_emit_operand(d, FUM_GROUP_NORM_GAMMA);
    fum_emit_operand(d, FUM_GROUP_NORM_BETA);
    fum_emit_bind(d, *to);
    const struct fum_group_norm_scale_push push = {
        .quads = (uint32_t)g->quads,
        .chunk_rows = (uint32_t)g->chunk,
        .groups = (uint32_t)g->groups,
        .group_channels = (uint32_t)(g->channels / g->groups),
        .rows = (uint32_t)g->rows,
        .chunks = (uint32_t)g->chunks,
        .batches = (uint32_t)g->batches,
        .eps = (float)call->attr[FUM_GROUP_NORM_EPS],
    };
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Returns the lanes of a workgroup that takes one group of one batch: a power of two.
static uint32_t lanes_for(const struct fum_device_info *info, int64_t quads) {
    const struct fum_device_class *class = fum_device_class_of(info);
    uint32_t most = quads > 1 << 14 ? 1024 : 256, lanes = 1;
    if (class->shared_is_slow) most = fum_lanes(info);
    most = FUM_MIN(most, FUM_MIN(info->max_group_invocations, info->max_group_size[0]));
    while (lanes * 2 <= most) lanes *= 2;
    return lanes;
}

struct fum_dispatch *fum_group_norm_emit(const struct fum_op_call *call,
                                         const struct fum_group_norm *g,
                                         struct fum_group_norm_spans spans,
                                         struct fum_dispatches *list,
                                         struct fum_group_norm_push *push) {
    const struct fum_device_info *info = list->info;
    enum fum_dtype dtype = call->in[0].dtype;
    int64_t each = g->channels / g->groups;
    uint32_t lanes = lanes_for(info, g->rows * (each * spans.span + 3) / 4);
    bool texels = fum_texels_faster(info, list->tuning, dtype);
    struct fum_dispatch *d =
        fum_emit_groups(list, texels ? spans.texel_shader : spans.shader, dtype, lanes,
                        (uint64_t)(spans.batches * g->groups / spans.span));
    if (!d) return NULL;
    d->texels = texels ? 0x17 : 0; // all but the output
    // Lanes along rows leave none idle.
    FUM_EMIT_SPECS(d, lanes, fum_device_class_of(info)->scattered_loads,
                   call->has[FUM_GROUP_NORM_X1]);
    *push = (struct fum_group_norm_push){
        .quads = (uint32_t)g->quads,
        .groups = (uint32_t)g->groups,
        .group_channels = (uint32_t)each,
        .rows = (uint32_t)g->rows,
        .batches = (uint32_t)spans.batches,
        .eps = (float)call->attr[FUM_GROUP_NORM_EPS],
        .x_quads = (uint32_t)fum_shape_row_quads(&call->in[FUM_GROUP_NORM_X].shape),
        .span = (uint32_t)spans.span,
    };
    return d;
}

bool fum_group_norm_factors(const struct fum_op_call *call, const struct fum_group_norm *g,
                            const struct fum_dispatch_bind *to, struct fum_dispatches *list) {
    if (g->chunked) return add_chunks(call, g, list) && add_merge(call, g, to, list);
    const struct fum_group_norm_spans spans = {"group_norm_affine", "group_norm_affine_texel",
                                               g->batches, 1};
    struct fum_group_norm_push push;
    struct fum_dispatch *d = fum_group_norm_emit(call, g, spans, list, &push);
    if (!d) return false;
    for (int i = FUM_GROUP_NORM_X; i <= FUM_GROUP_NORM_BETA; i++) fum_emit_operand(d, i);
    fum_emit_bind(d, *to);
    fum_emit_operand(d, call->has[FUM_GROUP_NORM_X1] ? FUM_GROUP_NORM_X1 : FUM_GROUP_NORM_X);
    FUM_EMIT_PUSH(d, push);
    return true;
}
