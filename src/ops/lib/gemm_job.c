// SPDX-License-Identifier: MIT
#include "ops/lib/gemm_job.h"

#include "shaders/gemm_reduce.pc.h"

// ---- split sums ----

// Adds what sums the layers in scratch and writes the output.
static bool add_reduction(const struct fum_gemm_job *job, struct fum_dispatch_bind layers,
                          struct fum_dispatches *list) {
    const struct fum_gemm_push *p = &job->push;
    uint32_t rows = p->rows * p->batches;
    struct fum_dispatch *d =
        fum_emit_quads(list, "gemm_reduce", job->call->out.dtype, (uint64_t)rows * p->n_quads);
    if (!d) return false;
    FUM_EMIT_SPECS(d, job->act, fum_gemm_epilogue_of(job->call));
    layers.write = false;
    fum_emit_bind(d, layers);
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        fum_emit_bind(d, job->call->has[i] ? job->bind[i] : layers);
    fum_emit_bind(d, job->bind[5]);
    const struct fum_gemm_reduce_push push = {
        .rows = rows,
        .n_quads = p->n_quads,
        .splits = p->splits,
        .y_skip = p->y_skip,
        .residual_skip = p->residual_skip,
        .row_begin = p->row_begin,
        .row_phase = p->row_phase,
        .row_share = p->row_share,
        .scale = p->scale,
    };
    FUM_EMIT_PUSH(d, push);
    return true;
}

static uint64_t layer_bytes(const struct fum_gemm_job *job) {
    return (uint64_t)job->push.rows * job->push.batches * job->push.n_quads * 16;
}

bool fum_gemm_job_reduce(const struct fum_gemm_job *job, struct fum_dispatch *d,
                         struct fum_dispatches *list) {
    uint64_t bytes = layer_bytes(job) * job->push.splits;
    list->scratch_bytes = FUM_MAX(list->scratch_bytes, bytes);
    d->bind[5] = fum_bind_scratch(0, bytes, true);
    // The partial sums need no epilogue, so its operands need not be there.
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++) d->bind[i] = d->bind[0];
    return add_reduction(job, d->bind[5], list);
}

int64_t fum_gemm_job_splits(const struct fum_gemm_job *job, const struct fum_device_info *info,
                            int64_t splits) {
    uint64_t most = FUM_MIN(UINT64_C(64) << 20, info->max_binding);
    while (splits > 1 && layer_bytes(job) * (uint64_t)splits > most) splits--;
    return splits;
}

// ---- matrix products ----

// A product that is cut into parts.
struct product {
    const struct fum_op_call *call;
    const struct fum_gemm *gemm;
    fum_gemm_job_add add;
    bool own_w;
};

static bool matmul_part(const struct product *p, const struct fum_part *part,
                        struct fum_dispatches *list) {
    const struct fum_op_call *call = p->call;
    const struct fum_gemm *g = p->gemm;
    int64_t first = part->batch * g->rows + part->first, count = part->batches * part->count;
    uint32_t quads = (uint32_t)FUM_DIV_UP(g->k, 4);
    struct fum_gemm_added added = fum_gemm_added_rows(call, g, first);
    struct fum_gemm_job job = {
        .call = call,
        .transposed = g->transposed,
        .act = g->act,
        .gate = g->gate,
        .quantised = g->quantised,
        .quads = quads,
        .push = {.channels = (uint32_t)g->k,
                 .n_size = (uint32_t)g->n,
                 .channel_quads = quads,
                 .n_quads = (uint32_t)FUM_DIV_UP(g->n, 4),
                 .rows = (uint32_t)part->count,
                 .batches = (uint32_t)part->batches,
                 .w_share = g->x_shared ? 0 : (uint32_t)g->w_share,
                 .w_batches = (uint32_t)g->w_batches,
                 .row_begin = added.begin,
                 .row_phase = added.phase,
                 .row_share = added.share,
                 .scale = (float)g->scale},
    };
    struct fum_gemm_push *push = &job.push;
    job.bind[5] =
        fum_bind_rows(list, FUM_OUT, (struct fum_rows){&call->out, first, count}, &push->y_skip);
    job.bind[0] = fum_bind_rows(list, FUM_GEMM_X, fum_gemm_x_rows(call, g, part), &push->x_skip);
    job.bind[1] =
        fum_bind_rows(list, FUM_GEMM_W, fum_gemm_w_rows(g, part, p->own_w), &push->w_skip);
    push->residual_skip = fum_gemm_bind_epilogue(list, call, first, count, job.bind);
    job.bind[6] = job.bind[0];
    return p->add(&job, list);
}

bool fum_gemm_job_matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                         fum_gemm_job_add add, struct fum_dispatches *list) {
    struct fum_gemm_cut cut;
    if (g->k == 0 || !fum_gemm_cut(call, g, list->info, &cut, &list->why)) return false;
    const struct product product = {call, g, add, cut.own_w};
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->rows, cut.part))
        if (!matmul_part(&product, &part, list)) return false;
    return true;
}

// ---- convolutions ----

static void bind_conv(struct fum_gemm_job *job, const struct fum_conv *c,
                      const struct fum_part *part, const struct fum_dispatches *list) {
    const struct fum_op_call *call = job->call;
    struct fum_gemm_push *push = &job->push;
    int64_t first_line, y_first = (part->batch * c->out_h + part->first) * c->out_w;
    const struct fum_rows x = fum_conv_x_rows(call, c, part, &first_line),
                          w = {&c->w, 0, fum_shape_rows(&c->w.shape)},
                          out = {&call->out, y_first, push->rows},
                          norm = {&call->in[FUM_CONV_NORM], 2 * part->batch, 2 * part->batches};
    push->in_first = (uint32_t)first_line;
    job->bind[5] = fum_bind_rows(list, FUM_OUT, out, &push->y_skip);
    job->bind[0] = fum_bind_rows(list, FUM_GEMM_X, x, &push->x_skip);
    job->bind[1] = fum_bind_rows(list, FUM_GEMM_W, w, &push->w_skip);
    push->residual_skip = fum_gemm_bind_epilogue(list, call, y_first, out.count, job->bind);
    job->bind[6] = job->bind[0];
    if (job->norm) job->bind[6] = fum_bind_rows(list, FUM_CONV_NORM, norm, &push->norm_skip);
}

static bool conv_part(const struct fum_op_call *call, const struct fum_conv *c,
                      const struct fum_part *part, fum_gemm_job_add add,
                      struct fum_dispatches *list) {
    uint32_t pixels = (uint32_t)(part->count * c->out_w), quads = (uint32_t)FUM_DIV_UP(c->in_c, 4);
    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    bool norm = call->has[FUM_CONV_NORM];
    struct fum_gemm_job job = {
        .call = call,
        .conv = true,
        .up = c->up == 2,
        .norm = norm,
        .quantised = c->quantised,
        .act = (enum fum_act)call->attr[FUM_CONV_ACT],
        .norm_act = norm ? (enum fum_act)call->attr[FUM_CONV_NORM_ACT] : FUM_ACT_NONE,
        .quads = (uint32_t)(c->kernel_h * c->kernel_w) * quads,
        .push = {.channels = (uint32_t)c->in_c,
                 .n_size = (uint32_t)c->out_c,
                 .channel_quads = quads,
                 .n_quads = (uint32_t)FUM_DIV_UP(c->out_c, 4),
                 .rows = pixels * (uint32_t)part->batches,
                 .batches = 1,
                 .w_share = 1,
                 .w_batches = 1,
                 .row_begin = own_row ? (uint32_t)part->batch : 0,
                 .row_share = own_row ? pixels : 0,
                 .scale = 1,
                 .kernel_w = (uint32_t)c->kernel_w,
                 .stride = (uint32_t)c->stride,
                 .pad = (uint32_t)c->pad,
                 .pad_x = (uint32_t)c->pad_x,
                 .in_h = (uint32_t)c->in_h,
                 .in_w = (uint32_t)c->in_w,
                 .out_w = (uint32_t)c->out_w,
                 .pixels = pixels,
                 .first = (uint32_t)part->first},
    };
    bind_conv(&job, c, part, list);
    return add(&job, list);
}

bool fum_gemm_job_conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                         fum_gemm_job_add add, struct fum_dispatches *list) {
    struct fum_cut cut;
    if (c->in_c == 0 || c->in_h == 0 || c->in_w == 0) return false;
    if (!fum_conv_cut(call, c, list->info, &cut, &list->why)) return false;
    struct fum_part part = {0};
    while (fum_part_next(&part, c->batches, c->out_h, cut))
        if (!conv_part(call, c, &part, add, list)) return false;
    return true;
}
