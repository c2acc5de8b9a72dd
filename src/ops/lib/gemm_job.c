// SPDX-License-Identifier: MIT
#include "ops/lib/gemm_job.h"

#include "base/macros.h"

#include <string.h>

enum { REDUCE_BINDINGS = 5, REDUCE_PUSH = 9 };

static uint32_t float_bits(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

uint32_t fum_gemm_epilogue_of(const struct fum_op_call *call) {
    return (call->has[FUM_GEMM_BIAS] ? 1u : 0u) | (call->has[FUM_GEMM_ROW] ? 2u : 0u) |
           (call->has[FUM_GEMM_RESIDUAL] ? 4u : 0u);
}

// ---- split sums ----

// Sums of `splits` layers in scratch become the output.
static bool add_reduction(const struct fum_gemm_job *job, const struct fum_dispatch_bind *layers,
                          struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    uint32_t lanes = fum_lanes(list->info), rows = job->push.rows * job->push.batches;
    if (!d) return false;
    *d = (struct fum_dispatch){.shader = "gemm_reduce",
                               .dtype = job->call->out.dtype,
                               .num_spec = 5,
                               .spec = {lanes, 1, 1, job->act, fum_gemm_epilogue_of(job->call)},
                               .num_push = REDUCE_PUSH,
                               .push = {rows, job->push.nq, job->push.splits, job->push.y_skip,
                                        job->push.residual_skip, job->push.row_base,
                                        job->push.row_first, job->push.row_div, job->push.scale},
                               .num_bind = REDUCE_BINDINGS};
    d->bind[0] = *layers;
    d->bind[0].write = false;
    for (int i = 1; i < 4; i++) d->bind[i] = job->call->has[i + 1] ? job->bind[i + 1] : d->bind[0];
    d->bind[4] = job->bind[5];
    return fum_groups_1d(list->info, FUM_DIV_UP((uint64_t)rows * job->push.nq, lanes), d->groups);
}

bool fum_gemm_job_reduce(const struct fum_gemm_job *job, struct fum_dispatch *d,
                         struct fum_dispatches *list) {
    uint64_t bytes =
        (uint64_t)job->push.rows * job->push.batches * job->push.nq * 16 * job->push.splits;
    if (list->scratch_bytes < bytes) list->scratch_bytes = bytes;
    d->bind[5] = (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .write = true, .bytes = bytes};
    // The partial sums need no epilogue, so its operands need not be there.
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++) d->bind[i] = d->bind[0];
    return add_reduction(job, &d->bind[5], list);
}

int64_t fum_gemm_job_splits(const struct fum_gemm_job *job, const struct fum_device_info *info,
                            int64_t splits) {
    uint64_t layer = (uint64_t)job->push.rows * job->push.batches * job->push.nq * 16,
             most = 64 << 20;
    if (most > info->max_binding) most = info->max_binding;
    while (splits > 1 && layer * (uint64_t)splits > most) splits--;
    return splits;
}

// Binds the epilogue's operands for output rows [first, first + count).
static void bind_epilogue(struct fum_gemm_job *job, const struct fum_dispatches *list,
                          int64_t first, int64_t count) {
    struct fum_dispatch d = {.bind = {job->bind[0]}};
    fum_gemm_bind_epilogue(list, job->call, &d, first, count, &job->push.residual_skip);
    memcpy(&job->bind[FUM_GEMM_BIAS], &d.bind[FUM_GEMM_BIAS], 3 * sizeof d.bind[0]);
}

static void bind_rows(struct fum_gemm_job *job, const struct fum_dispatches *list, int slot,
                      int operand, const struct fum_desc *desc, int64_t first, int64_t count,
                      uint32_t *skip) {
    struct fum_dispatch d;
    fum_bind_rows(list, &d, slot, operand, operand == FUM_OUT, desc, first, count, skip);
    job->bind[slot] = d.bind[slot];
}

// ---- matrix products ----

static bool matmul_part(const struct fum_op_call *call, const struct fum_gemm *g,
                        const struct fum_part *part, bool own_w, fum_gemm_job_add add,
                        struct fum_dispatches *list) {
    int64_t first = part->batch * g->rows + part->first, count = part->batches * part->count;
    int64_t w_rows = fum_gemm_weight_rows(g);
    int64_t shared = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1
                         ? g->row_rows
                         : 0;
    struct fum_gemm_job job = {
        .call = call,
        .transposed = g->transposed,
        .act = g->act,
        .gate = g->gate,
        .q8 = g->q8,
        .push = {.channels = (uint32_t)g->k,
                 .n = (uint32_t)g->n,
                 .cq = (uint32_t)FUM_DIV_UP(g->k, 4),
                 .nq = (uint32_t)FUM_DIV_UP(g->n, 4),
                 .rows = (uint32_t)part->count,
                 .batches = (uint32_t)part->batches,
                 .w_div = g->x_shared ? 0 : (uint32_t)g->w_div,
                 .w_mod = (uint32_t)g->w_mod,
                 .row_base = (uint32_t)(shared ? first / shared : 0),
                 .row_first = (uint32_t)(shared ? first % shared : 0),
                 .row_div = (uint32_t)fum_min_i64(shared, UINT32_MAX),
                 .scale = float_bits(g->scale),
                 .quads = (uint32_t)FUM_DIV_UP(g->k, 4)},
    };
    bind_rows(&job, list, 5, FUM_OUT, &call->out, first, count, &job.push.y_skip);
    bind_rows(&job, list, 0, FUM_GEMM_X, &call->in[FUM_GEMM_X], g->x_shared ? part->first : first,
              g->x_shared ? part->count : count, &job.push.x_skip);
    bind_rows(&job, list, 1, FUM_GEMM_W, &call->in[FUM_GEMM_W], own_w ? part->batch * w_rows : 0,
              (own_w ? part->batches : g->w_batches) * w_rows, &job.push.w_skip);
    bind_epilogue(&job, list, first, count);
    job.bind[6] = job.bind[0];
    return add(&job, list);
}

bool fum_gemm_job_matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                         fum_gemm_job_add add, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    if (g->k == 0) return false;
    int64_t fit = fum_gemm_rows_that_fit(call, info);
    int64_t w_rows = fum_gemm_weight_rows(g);
    // batches of w in one binding
    int64_t w_whole = fum_rows_per_binding(info, &call->in[FUM_GEMM_W]) / w_rows;
    bool own_w = g->w_batches > 1 && g->w_batches == g->batches;
    if (fit < 1 || w_whole < (own_w ? 1 : g->w_batches)) return false;
    int64_t whole = fit / g->rows;
    if (own_w) whole = fum_min_i64(whole, w_whole);
    if (g->w_batches > 1 && !own_w && whole < g->batches) return false;
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->rows, whole, fit))
        if (!matmul_part(call, g, &part, own_w, add, list)) return false;
    return true;
}

// ---- convolutions ----

static bool conv_part(const struct fum_op_call *call, const struct fum_conv *c,
                      const struct fum_part *part, fum_gemm_job_add add,
                      struct fum_dispatches *list) {
    int64_t pixels = part->count * c->out_w, total = pixels * part->batches, in_first = 0,
            in_rows = c->in_h;
    int64_t taps = c->kernel_h * c->kernel_w, cq = FUM_DIV_UP(c->in_c, 4);
    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    bool norm = call->has[FUM_CONV_NORM];
    // Several whole images bind whole images; rows of one bind the input rows they touch.
    if (part->count < c->out_h)
        fum_conv_input_rows(c, part->first, part->count, &in_first, &in_rows);
    int64_t x_first = (part->batch * c->in_h + in_first) * c->in_w;
    int64_t x_count = ((part->batches - 1) * c->in_h + in_rows) * c->in_w;
    int64_t y_first = (part->batch * c->out_h + part->first) * c->out_w;
    struct fum_gemm_job job = {
        .call = call,
        .conv = true,
        .up = c->up == 2,
        .norm = norm,
        .q8 = c->q8,
        .act = (enum fum_act)call->attr[FUM_CONV_ACT],
        .norm_act = norm ? (enum fum_act)call->attr[FUM_CONV_NORM_ACT] : FUM_ACT_NONE,
        .push = {.channels = (uint32_t)c->in_c,
                 .n = (uint32_t)c->out_c,
                 .cq = (uint32_t)cq,
                 .nq = (uint32_t)FUM_DIV_UP(c->out_c, 4),
                 .rows = (uint32_t)total,
                 .batches = 1,
                 .w_div = 1,
                 .w_mod = 1,
                 .row_base = own_row ? (uint32_t)part->batch : 0,
                 .row_div = own_row ? (uint32_t)pixels : 0,
                 .scale = float_bits(1),
                 .quads = (uint32_t)(taps * cq),
                 .kernel_w = (uint32_t)c->kernel_w,
                 .stride = (uint32_t)c->stride,
                 .pad = (uint32_t)c->pad,
                 .in_h = (uint32_t)c->in_h,
                 .in_w = (uint32_t)c->in_w,
                 .out_w = (uint32_t)c->out_w,
                 .pixels = (uint32_t)pixels,
                 .first = (uint32_t)part->first,
                 .in_first = (uint32_t)in_first},
    };
    bind_rows(&job, list, 5, FUM_OUT, &call->out, y_first, total, &job.push.y_skip);
    bind_rows(&job, list, 0, FUM_GEMM_X, &call->in[FUM_GEMM_X], x_first, x_count, &job.push.x_skip);
    bind_rows(&job, list, 1, FUM_GEMM_W, &call->in[FUM_GEMM_W], 0, fum_conv_weight_rows(c),
              &job.push.w_skip);
    bind_epilogue(&job, list, y_first, total);
    job.bind[6] = job.bind[0];
    if (norm)
        bind_rows(&job, list, 6, FUM_CONV_NORM, &call->in[FUM_CONV_NORM], 2 * part->batch,
                  2 * part->batches, &job.push.norm_skip);
    return add(&job, list);
}

bool fum_gemm_job_conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                         fum_gemm_job_add add, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    if (c->in_c == 0 || c->in_h == 0 || c->in_w == 0) return false;
    int64_t fit = fum_conv_rows_that_fit(call, c, info);
    if (fit < 1 || fum_desc_bytes(&call->in[FUM_GEMM_W]) > info->max_binding) return false;
    int64_t in_whole = fum_rows_per_binding(info, &call->in[FUM_GEMM_X]) / (c->in_h * c->in_w);
    struct fum_part part = {0};
    while (fum_part_next(&part, c->batches, c->out_h, fum_min_i64(fit / c->out_h, in_whole), fit))
        if (!conv_part(call, c, &part, add, list)) return false;
    return true;
}
