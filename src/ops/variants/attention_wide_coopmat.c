// SPDX-License-Identifier: MIT
// Computes attention with one head so wide that a subgroup cannot hold its outputs (the VAE's, 512
// channels). The scores of some queries at a time go to scratch in f32, become weights there in the
// storage type, and multiply v. Two products by shaders/gemm_coopmat.comp run with
// shaders/attention_weights.comp between.
#include "ops/variants/coopmat.h"
#include "shaders/attention_weights.pc.h"

// bytes of the scores at once: usually, and at most
enum { SCORE_BYTES = 16 << 20, MOST_BYTES = 128 << 20 };
// Weights are stored times this, so that those of very many keys stay above f16's smallest normal
// numbers.
enum { WEIGHT_SCALE = 1024 };

// Where scratch holds what, in bytes.
struct layout {
    int64_t rows; // queries at once
    uint64_t scores, weights_at, weights;
};

static uint64_t scores_of(const struct fum_attention *a, int64_t rows) {
    return (uint64_t)rows * (uint64_t)FUM_DIV_UP(a->keys, 4) * 16;
}

static struct layout layout_of(const struct fum_attention *a, const struct fum_device_info *info) {
    uint64_t most = FUM_MIN(info->max_binding, MOST_BYTES);
    // As many turns as keep scratch small, but no more than a list of dispatches can have.
    int64_t turns = FUM_MAX_DISPATCHES / 3 / (a->batches > 1 ? a->batches : 1);
    int64_t few = (int64_t)(SCORE_BYTES / scores_of(a, 1)),
            rows = turns ? FUM_DIV_UP(a->queries, turns) : a->queries;
    if (rows < few) rows = few;
    struct layout l = {.rows =
                           FUM_MIN(FUM_MIN(a->queries, rows), (int64_t)(most / scores_of(a, 1)))};
    uint64_t align = FUM_MAX(info->binding_align, 16);
    l.scores = scores_of(a, l.rows);
    l.weights_at = FUM_ALIGN_UP(l.scores, align);
    l.weights = l.scores / 2;
    return l;
}

// Returns a product of `rows` rows without epilogue; the caller sets its bindings 0, 1 and 5.
static struct fum_gemm_job job_of(const struct fum_op_call *plain, int64_t rows, int64_t k,
                                  int64_t n) {
    uint32_t quads = (uint32_t)FUM_DIV_UP(k, 4);
    return (struct fum_gemm_job){
        .call = plain,
        .quads = quads,
        .push = {.channels = (uint32_t)k,
                 .n_size = (uint32_t)n,
                 .channel_quads = quads,
                 .n_quads = (uint32_t)FUM_DIV_UP(n, 4),
                 .rows = (uint32_t)rows,
                 .batches = 1,
                 .w_share = 1,
                 .w_batches = 1},
    };
}

static void bind_absent(struct fum_gemm_job *job) {
    for (int i = 2; i < FUM_GEMM_JOB_BINDINGS; i++)
        if (i != 5) job->bind[i] = job->bind[0];
}

// Adds what turns `rows` rows of scores into weights.
static bool add_weights(const struct fum_op_call *call, const struct fum_attention *a, int64_t rows,
                        const struct fum_dispatch_bind bind[2], struct fum_dispatches *list) {
    const struct fum_device_class *class = fum_device_class_of(list->info);
    uint32_t lanes = class->shared_is_slow ? fum_lanes(list->info) : 256;
    if (lanes > list->info->max_group_invocations) return false;
    struct fum_dispatch *d =
        fum_emit_groups(list, "attention_weights", call->out.dtype, lanes, (uint64_t)rows);
    if (!d) return false;
    fum_emit_spec(d, lanes);
    for (int i = 0; i < 2; i++) fum_emit_bind(d, bind[i]);
    const struct fum_attention_weights_push push = {.rows = (uint32_t)rows,
                                                    .keys = (uint32_t)a->keys,
                                                    .scale = (float)a->scale,
                                                    .factor = WEIGHT_SCALE};
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Some queries of one batch, and where scratch holds their scores and weights.
struct queries {
    int64_t batch, first, count;
    uint64_t scores, weights_at; // bytes; offset
};

static bool add_queries(const struct fum_op_call *call, const struct fum_attention *a,
                        const struct queries *q, struct fum_dispatches *list) {
    const struct fum_op_call plain = {.out.dtype = call->out.dtype};
    int64_t query = q->batch * a->queries + q->first, key = q->batch * a->keys;
    const struct fum_rows in = {&call->in[0], query, q->count}, out = {&call->out, query, q->count},
                          keys = {&call->in[1], key, a->keys},
                          values = {&call->in[2], key, a->keys};
    const struct fum_dispatch_bind weigh[2] = {
        fum_bind_scratch(0, q->scores, false),
        fum_bind_scratch(q->weights_at, q->scores / 2, true)};

    struct fum_gemm_job score = job_of(&plain, q->count, a->channels, a->keys);
    score.transposed = true;
    score.push.scale = 1;
    score.bind[0] = fum_bind_rows(list, 0, in, &score.push.x_skip);
    score.bind[1] = fum_bind_rows(list, 1, keys, &score.push.w_skip);
    score.bind[5] = fum_bind_scratch(0, q->scores, true);
    bind_absent(&score);

    struct fum_gemm_job sum = job_of(&plain, q->count, a->keys, a->channels);
    sum.push.scale = (float)(1.0 / WEIGHT_SCALE);
    sum.bind[0] = fum_bind_scratch(q->weights_at, q->scores / 2, false);
    sum.bind[1] = fum_bind_rows(list, 2, values, &sum.push.w_skip);
    sum.bind[5] = fum_bind_rows(list, FUM_OUT, out, &sum.push.y_skip);
    bind_absent(&sum);
    return fum_coopmat_add(&score, true, list) && add_weights(call, a, q->count, weigh, list) &&
           fum_coopmat_add(&sum, false, list);
}

bool fum_coopmat_attention_wide(const struct fum_op_call *call, const struct fum_attention *a,
                                struct fum_dispatches *list) {
    if (a->heads != 1 || a->causal) return false;
    struct layout l = layout_of(a, list->info);
    // A batch's keys, and the queries of a turn, fit a binding each.
    if (l.rows < 1 || fum_rows_per_binding(list->info, &call->in[1]) < a->keys) return false;
    l.rows = FUM_MIN(l.rows, fum_rows_per_binding(list->info, &call->in[0]));
    if (l.rows < 1 || 3 * a->batches * FUM_DIV_UP(a->queries, l.rows) > FUM_MAX_DISPATCHES)
        return false;
    list->scratch_bytes = l.weights_at + l.weights;
    for (int64_t b = 0; b < a->batches; b++)
        for (int64_t first = 0; first < a->queries; first += l.rows) {
            int64_t count = FUM_MIN(l.rows, a->queries - first);
            const struct queries queries = {b, first, count, scores_of(a, count), l.weights_at};
            if (!add_queries(call, a, &queries, list)) return false;
        }
    return true;
}
