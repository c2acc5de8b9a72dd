// SPDX-License-Identifier: MIT
// Attention with one head so wide that a subgroup cannot hold its outputs (the VAE's, 512
// channels): the scores of some queries at a time go to scratch in f32, become weights there in the
// storage type, and multiply v. Two products by shaders/gemm_coopmat.comp with
// shaders/attention_weights.comp between.
#include "base/macros.h"
#include "ops/variants/coopmat.h"

#include <string.h>

// of the scores at once: usually, and at the most
enum { SCORE_BYTES = 16 << 20, MOST_BYTES = 128 << 20 };
// Weights are stored times this, so that those of very many keys stay above f16's smallest normal
// numbers.
enum { WEIGHT_SCALE = 1024 };

static uint32_t float_bits(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

// Where scratch holds what, in bytes.
struct layout {
    int64_t rows; // queries at once
    uint64_t scores, weights_at, weights;
};

static uint64_t scores_of(const struct fum_attention *a, int64_t rows) {
    return (uint64_t)rows * (uint64_t)FUM_DIV_UP(a->keys, 4) * 16;
}

static struct layout layout_of(const struct fum_attention *a, const struct fum_device_info *info) {
    uint64_t most = info->max_binding < MOST_BYTES ? info->max_binding : MOST_BYTES;
    // As many turns as keep scratch small, but no more than a list of dispatches can have.
    int64_t turns = FUM_MAX_DISPATCHES / 3 / (a->batches > 1 ? a->batches : 1);
    int64_t few = (int64_t)(SCORE_BYTES / scores_of(a, 1)),
            rows = turns ? FUM_DIV_UP(a->queries, turns) : a->queries;
    if (rows < few) rows = few;
    struct layout l = {
        .rows = fum_min_i64(fum_min_i64(a->queries, rows), (int64_t)(most / scores_of(a, 1)))};
    uint64_t align = info->binding_align < 16 ? 16 : info->binding_align;
    l.scores = scores_of(a, l.rows);
    l.weights_at = FUM_ALIGN_UP(l.scores, align);
    l.weights = l.scores / 2;
    return l;
}

// A product of `rows` rows without epilogue; its operands are bound by the caller.
static struct fum_gemm_job job_of(const struct fum_op_call *plain, int64_t rows, int64_t k,
                                  int64_t n, bool transposed, double scale) {
    return (struct fum_gemm_job){
        .call = plain,
        .transposed = transposed,
        .push = {.channels = (uint32_t)k,
                 .n = (uint32_t)n,
                 .cq = (uint32_t)FUM_DIV_UP(k, 4),
                 .nq = (uint32_t)FUM_DIV_UP(n, 4),
                 .rows = (uint32_t)rows,
                 .batches = 1,
                 .w_div = 1,
                 .w_mod = 1,
                 .scale = float_bits(scale),
                 .quads = (uint32_t)FUM_DIV_UP(k, 4)},
    };
}

static void bind(struct fum_gemm_job *job, const struct fum_dispatches *list, int slot, int operand,
                 const struct fum_desc *desc, int64_t first, int64_t count, uint32_t *skip) {
    struct fum_dispatch d;
    fum_bind_rows(list, &d, slot, operand, operand == FUM_OUT, desc, first, count, skip);
    job->bind[slot] = d.bind[slot];
}

static void bind_rest(struct fum_gemm_job *job) {
    for (int i = 2; i < FUM_GEMM_JOB_BINDINGS; i++)
        if (i != 5) job->bind[i] = job->bind[0];
}

static bool add_weights(const struct fum_op_call *call, const struct fum_attention *a, int64_t rows,
                        const struct fum_dispatch_bind *scores,
                        const struct fum_dispatch_bind *weights, struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    uint32_t lanes = list->info->type == FUM_DEVICE_CPU ? 8 : 256;
    if (!d || lanes > list->info->max_group_invocations) return false;
    *d = (struct fum_dispatch){.shader = "attention_weights",
                               .dtype = call->out.dtype,
                               .num_spec = 4,
                               .spec = {lanes, 1, 1, lanes},
                               .num_bind = 2,
                               .bind = {*scores, *weights},
                               .num_push = 4,
                               .push = {(uint32_t)rows, (uint32_t)a->keys, float_bits(a->scale),
                                        float_bits(WEIGHT_SCALE)}};
    return fum_groups_1d(list->info, (uint64_t)rows, d->groups);
}

// Queries [first, first + count) of batch b.
static bool add_rows(const struct fum_op_call *call, const struct fum_attention *a,
                     const struct layout *l, int64_t b, int64_t first, int64_t count,
                     struct fum_dispatches *list) {
    struct fum_op_call plain = {.out.dtype = call->out.dtype};
    struct fum_dispatch_bind scores = {.operand = FUM_SCRATCH, .bytes = scores_of(a, count)};
    struct fum_dispatch_bind weights = {
        .operand = FUM_SCRATCH, .offset = l->weights_at, .bytes = scores.bytes / 2};
    struct fum_dispatch_bind new_scores = scores, new_weights = weights;
    int64_t query = b * a->queries + first;
    new_scores.write = new_weights.write = true;

    struct fum_gemm_job qk = job_of(&plain, count, a->channels, a->keys, true, 1);
    bind(&qk, list, 0, 0, &call->in[0], query, count, &qk.push.x_skip);
    bind(&qk, list, 1, 1, &call->in[1], b * a->keys, a->keys, &qk.push.w_skip);
    qk.bind[5] = new_scores;
    bind_rest(&qk);

    struct fum_gemm_job pv = job_of(&plain, count, a->keys, a->channels, false, 1.0 / WEIGHT_SCALE);
    pv.bind[0] = weights;
    bind(&pv, list, 1, 2, &call->in[2], b * a->keys, a->keys, &pv.push.w_skip);
    bind(&pv, list, 5, FUM_OUT, &call->out, query, count, &pv.push.y_skip);
    bind_rest(&pv);
    return fum_coopmat_add(&qk, true, list) &&
           add_weights(call, a, count, &scores, &new_weights, list) &&
           fum_coopmat_add(&pv, false, list);
}

bool fum_coopmat_attention_wide(const struct fum_op_call *call, const struct fum_attention *a,
                                struct fum_dispatches *list) {
    if (a->heads != 1 || a->causal) return false;
    struct layout l = layout_of(a, list->info);
    // A batch's keys, and the queries of a turn, fit a binding each.
    if (l.rows < 1 || fum_rows_per_binding(list->info, &call->in[1]) < a->keys) return false;
    l.rows = fum_min_i64(l.rows, fum_rows_per_binding(list->info, &call->in[0]));
    if (l.rows < 1 || 3 * a->batches * FUM_DIV_UP(a->queries, l.rows) > FUM_MAX_DISPATCHES)
        return false;
    list->scratch_bytes = l.weights_at + l.weights;
    for (int64_t b = 0; b < a->batches; b++)
        for (int64_t first = 0; first < a->queries; first += l.rows)
            if (!add_rows(call, a, &l, b, first, fum_min_i64(l.rows, a->queries - first), list))
                return false;
    return true;
}
