// SPDX-License-Identifier: MIT
// Scaled dot-product attention of q [B, Tq, heads D] on k and v [B, Tk, heads D], all heads at
// once.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ops/lib/emit.h"
#include "ops/variants/texel.h"
#include "ops/variants/variant.h"

static const struct fum_attr_def attrs[] = {{"heads", 1}, {"causal", 0}, {"scale", 0}, {NULL, 0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *q = &call->in[0].shape, *k = &call->in[1].shape,
                           *v = &call->in[2].shape;
    int64_t heads;
    if (q->rank != 3 || k->rank != 3 || v->rank != 3)
        return fum_refuse(why, "q, k and v must be [batch, tokens, channels]");
    if (k->dim[0] != q->dim[0] || k->dim[2] != q->dim[2] || v->dim[0] != k->dim[0] ||
        v->dim[1] != k->dim[1] || v->dim[2] != k->dim[2])
        return fum_refuse(why, "k and v must have q's batch and channels and the same tokens");
    if (!fum_attr_int(call->attr[FUM_ATTENTION_HEADS], "heads", 1, INT32_MAX, &heads, why))
        return false;
    if (q->dim[2] < 1 || q->dim[2] % heads != 0) {
        return fum_refuse(why, "%lld channels do not divide into %lld heads", (long long)q->dim[2],
                          (long long)heads);
    }
    if (k->dim[1] < 1) return fum_refuse(why, "there must be a key to attend to");
    call->out = call->in[0];
    return true;
}

static double score(const struct fum_attention *p, const double *q, const double *k) {
    double sum = 0;
    for (int64_t d = 0; d < p->channels; d++) sum += (double)q[d] * k[d];
    return sum * p->scale;
}

// Channels whose sums are kept at once; wider heads compute their scores again for the next ones.
enum { REFERENCE_CHANNELS = 512 };

// One query of a head, as pointers to the head's first elements, and the keys that it sees.
struct query {
    const double *q, *k, *v;
    double *out;
    int64_t keys;
};

// Computes channels [first, first + count) of a query's output.
static void attend(const struct fum_attention *p, const struct query *query, int64_t first,
                   int64_t count) {
    int64_t row = p->heads * p->channels;
    double top = -INFINITY, sum = 0, y[REFERENCE_CHANNELS] = {0};
    for (int64_t j = 0; j < query->keys; j++)
        top = fmax(top, score(p, query->q, query->k + j * row));
    for (int64_t j = 0; j < query->keys; j++) {
        double e = exp(score(p, query->q, query->k + j * row) - top);
        sum += e;
        for (int64_t d = 0; d < count; d++) y[d] += e * query->v[j * row + first + d];
    }
    for (int64_t d = 0; d < count; d++) query->out[first + d] = y[d] / sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_attention p = fum_attention_of(call);
    int64_t row = p.heads * p.channels;
    for (int64_t i = 0; i < p.batches * p.queries * p.heads; i++) {
        int64_t head = i % p.heads, query = i / p.heads % p.queries, b = i / (p.heads * p.queries);
        int64_t at = (b * p.queries + query) * row + head * p.channels;
        int64_t key_at = b * p.keys * row + head * p.channels;
        struct query one = {in[0] + at, in[1] + key_at, in[2] + key_at, out + at, p.keys};
        if (p.causal) one.keys = fum_min_i64(p.keys, query + 1);
        for (int64_t first = 0; first < p.channels; first += REFERENCE_CHANNELS)
            attend(&p, &one, first, fum_min_i64(p.channels - first, REFERENCE_CHANNELS));
    }
}

// CPU drivers keep the tile in the first-level cache; there a large kernel is quicker but takes
// seconds to compile, so little work gets a small one.
static struct fum_attention_tile choose(const struct fum_device_info *info,
                                        const struct fum_attention *p) {
    bool cpu = info->type == FUM_DEVICE_CPU;
    bool large = (double)p->batches * (double)p->queries * (double)p->keys *
                     (double)(p->heads * p->channels) >
                 25e6;
    uint32_t quads = (uint32_t)(p->channels / 4), most = cpu ? (large ? 20 : 8) : 16;
    uint32_t splits = FUM_DIV_UP(quads, most);
    struct fum_attention_tile t = {
        .lanes = fum_lanes(info), .queries = cpu ? 4 : 1, .keys = cpu && large ? 8 : 4};
    t.out_quads = large ? FUM_DIV_UP(quads, splits) : quads < most ? quads : most;
    t.rows = t.queries * t.lanes;
    t.splits = FUM_DIV_UP(quads, t.out_quads);
    return t;
}

static const struct fum_attention_kernels plain = {.shader = "attention", .choose = choose};

static bool add_part(const struct fum_attention_kernels *kernels, const struct fum_op_call *call,
                     const struct fum_attention *p, const struct fum_part *part,
                     struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d)
        return fum_refuse(&list->why, "needs more than %d dispatches to fit the device's bindings",
                          FUM_MAX_DISPATCHES);
    *d = (struct fum_dispatch){.shader = kernels->shader,
                               .dtype = call->out.dtype,
                               .texels = kernels->texels,
                               .num_bind = 4};
    struct fum_attention_tile tile = kernels->choose(list->info, p);
    const uint32_t spec[] = {tile.lanes, 1, 1, tile.queries, tile.keys, tile.out_quads, p->causal};
    memcpy(d->spec, spec, sizeof spec);
    d->num_spec = FUM_COUNT(spec);

    int64_t first = part->batch * p->queries + part->first, count = part->batches * part->count;
    uint32_t q_skip, k_skip, v_skip, y_skip;
    fum_bind_rows(list, d, 0, 0, false, &call->in[0], first, count, &q_skip);
    fum_bind_rows(list, d, 1, 1, false, &call->in[1], part->batch * p->keys,
                  part->batches * p->keys, &k_skip);
    fum_bind_rows(list, d, 2, 2, false, &call->in[2], part->batch * p->keys,
                  part->batches * p->keys, &v_skip);
    fum_bind_rows(list, d, 3, FUM_OUT, true, &call->out, first, count, &y_skip);

    int64_t tiles = FUM_DIV_UP(part->count, tile.rows);
    float scale = (float)p->scale;
    const uint32_t push[] = {(uint32_t)part->count,
                             (uint32_t)part->first,
                             (uint32_t)part->batches,
                             (uint32_t)tiles,
                             q_skip,
                             k_skip,
                             v_skip,
                             y_skip};
    memcpy(d->push, push, sizeof push);
    memcpy(&d->push[8], &scale, sizeof scale);
    const uint32_t sizes[] = {(uint32_t)p->heads, (uint32_t)(p->channels / 4), tile.splits,
                              (uint32_t)p->keys};
    memcpy(&d->push[9], sizes, sizeof sizes);
    d->num_push = 13;
    if (!fum_groups_1d(list->info, (uint64_t)(tiles * tile.splits * p->heads * part->batches),
                       d->groups))
        return fum_refuse(&list->why, "needs more workgroups than the device has");
    return true;
}

// One head too wide for an invocation to hold: on CPU devices the kernel above would compute the
// scores once per split. There, in f32, the scores of some queries at a time go to scratch instead,
// by two products and a softmax. Scores in f16 would lose digits, so the other types keep the
// kernel.
enum { SCORE_BYTES = 16 << 20 }; // largest such scratch

// Queries whose scores go there at once; 0: the kernel it is.
static int64_t score_rows(const struct fum_op_call *call, const struct fum_attention *p,
                          const struct fum_device_info *info) {
    double work = (double)(p->batches * p->queries) * (double)p->keys * (double)p->channels;
    if (info->type != FUM_DEVICE_CPU || call->out.dtype != FUM_F32 || p->heads != 1 || p->causal)
        return 0;
    if (p->channels < 128 || work < 25e6 || fum_desc_bytes(&call->in[0]) > info->max_binding)
        return 0;
    int64_t row = FUM_DIV_UP(p->keys, 4) * 16;
    int64_t fit =
        (int64_t)(info->max_binding < SCORE_BYTES ? info->max_binding : SCORE_BYTES) / row;
    fit = fum_min_i64(fit, p->queries);
    bool few = fit > 0 && 3 * p->batches * FUM_DIV_UP(p->queries, fit) <= FUM_MAX_DISPATCHES;
    return few && fum_desc_bytes(&call->in[1]) <= info->max_binding ? fit : 0;
}

// Queries [first, first + count) of batch b.
static bool add_scores(const struct fum_op_call *call, const struct fum_attention *p, int64_t b,
                       int64_t first, int64_t count, struct fum_dispatches *list) {
    int64_t query = b * p->queries + first, quads = FUM_DIV_UP(p->keys, 4);
    struct fum_dispatch_bind scores = {.operand = FUM_SCRATCH,
                                       .bytes = (uint64_t)(count * quads) * 16};
    struct fum_dispatch *d[3] = {0};
    for (int i = 0; i < 3; i++) {
        if (!(d[i] = fum_dispatch_add(list))) return false;
        *d[i] = (struct fum_dispatch){
            .shader = "softmax", .dtype = FUM_F32, .num_bind = i == 1 ? 2 : 6};
    }
    uint32_t skip[2][3] = {{0}};
    fum_bind_rows(list, d[0], 0, 0, false, &call->in[0], query, count, &skip[0][0]);
    fum_bind_rows(list, d[0], 1, 1, false, &call->in[1], b * p->keys, p->keys, &skip[0][1]);
    d[1]->bind[0] = d[2]->bind[0] = scores;
    scores.write = true;
    d[0]->bind[5] = d[1]->bind[1] = scores;
    fum_bind_rows(list, d[2], 1, 2, false, &call->in[2], b * p->keys, p->keys, &skip[1][1]);
    fum_bind_rows(list, d[2], 5, FUM_OUT, true, &call->out, query, count, &skip[1][2]);
    const struct fum_gemm_kernels *kernels = fum_gemm_unshared(list, FUM_F32);
    if (!fum_gemm_product(list, d[0], kernels, 1, count, p->channels, p->keys, true, p->scale,
                          skip[0]) ||
        !fum_gemm_product(list, d[2], kernels, 1, count, p->keys, p->channels, false, 1, skip[1]))
        return false;
    uint32_t lanes = fum_lanes(list->info);
    const uint32_t spec[] = {lanes, 1, 1}, push[] = {(uint32_t)p->keys, (uint32_t)count, 0, 0};
    memcpy(d[1]->spec, spec, sizeof spec);
    memcpy(d[1]->push, push, sizeof push);
    d[1]->num_spec = 3;
    d[1]->num_push = 4;
    return fum_groups_1d(list->info, FUM_DIV_UP((uint64_t)count, lanes), d[1]->groups);
}

static bool dispatch_scores(const struct fum_op_call *call, const struct fum_attention *p,
                            int64_t rows, struct fum_dispatches *list) {
    list->scratch_bytes = (uint64_t)(rows * FUM_DIV_UP(p->keys, 4)) * 16;
    for (int64_t b = 0; b < p->batches; b++) {
        for (int64_t first = 0; first < p->queries; first += rows) {
            if (add_scores(call, p, b, first, fum_min_i64(rows, p->queries - first), list))
                continue;
            return fum_refuse(&list->why, "needs more workgroups than the device has");
        }
    }
    return true;
}

bool fum_attention_dispatch_whole(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_attention p = fum_attention_of(call);
    if (fum_variant_attention(call, &p, list)) return true;
    int64_t rows = score_rows(call, &p, list->info);
    if (rows) return dispatch_scores(call, &p, rows, list);
    return fum_attention_dispatch_by(&plain, call, &p, list);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (fum_attention_of(call).channels % 4) return fum_attention_dispatch_padded(call, list);
    return fum_attention_dispatch_whole(call, list);
}

bool fum_attention_dispatch_by(const struct fum_attention_kernels *kernels,
                               const struct fum_op_call *call,
                               const struct fum_attention *attention, struct fum_dispatches *list) {
    const struct fum_attention p = *attention;
    int64_t fit = fum_min_i64(fum_rows_per_binding(list->info, &call->in[0]), INT32_MAX / 2);
    int64_t keys_whole =
        fum_min_i64(fum_rows_per_binding(list->info, &call->in[1]), INT32_MAX / 2) / p.keys;
    if (fit < 1 || keys_whole < 1)
        return fum_refuse(&list->why, "%s over the device's largest binding of %llu bytes",
                          fit < 1 ? "one query is" : "the keys of one batch are",
                          (unsigned long long)list->info->max_binding);
    int64_t whole = fum_min_i64(fit / p.queries, keys_whole);
    struct fum_part part = {0};
    while (fum_part_next(&part, p.batches, p.queries, whole, fit))
        if (!add_part(kernels, call, &p, &part, list)) return false;
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 4.0 * (double)fum_shape_count(&call->in[0].shape) * (double)call->in[1].shape.dim[1];
}

const struct fum_op fum_op_attention = {
    .name = "attention",
    .attrs = attrs,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
