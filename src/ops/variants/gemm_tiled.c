// SPDX-License-Identifier: MIT
// The variants "tiled" and "f16": matrix products, and convolutions as such, by tiles in shared
// memory.

#include "ops/lib/emit.h"
#include "ops/lib/gemm_job.h"
#include "ops/lib/gemm_tiles.h"
#include "ops/variants/variant.h"

// ---- dispatches ----

// Adds the dispatch or two of a product; `half`: f16 arithmetic. Returns false if no tile fits.
static bool add_product(struct fum_gemm_job *job, bool half, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    const struct fum_device_class *class = fum_device_class_of(info);
    struct fum_gemm_push *p = &job->push;
    bool gated = job->gate != FUM_ACT_NONE;
    const struct fum_tiling_shape shape = {.dtype = job->call->out.dtype,
                                           .conv = job->conv,
                                           .half = half,
                                           .batches = p->batches,
                                           .rows = p->rows,
                                           .n = p->n_size,
                                           .quads = job->quads,
                                           .gated = gated};
    struct fum_tiling_choice choice = fum_tiling_choose(&shape, info, list->tuning);
    if (choice.tile < 0) return false;
    const struct fum_tiling t = fum_tiling_of(choice.tile, gated);
    uint32_t shared = fum_tiling_shared(&t, half ? 8 : 16, class->pad);
    // Two buffers where two workgroups still fit a core's 64 KiB.
    uint32_t buffers = 2 * shared <= info->shared_bytes && 2 * shared <= 32768 ? 2 : 1;
    int64_t split_quads;
    p->quads = job->quads;
    p->splits = (uint32_t)fum_tiling_split(
        &t, p->quads, fum_gemm_job_splits(job, info, choice.splits), &split_quads);
    p->split_quads = (uint32_t)split_quads;
    p->tiles_m = FUM_DIV_UP(p->rows, t.bm);
    p->tiles_n = FUM_DIV_UP(p->n_size, t.bn);
    bool partial = p->splits > 1;
    const char *shader =
        fum_emit_shader(list, half ? "gemm_f16" : "gemm_tiled", job->quantised, shape.dtype);
    if (!shader) return false;
    struct fum_dispatch *d =
        fum_emit_groups(list, shader, shape.dtype, fum_tiling_threads(&t),
                        (uint64_t)p->tiles_m * p->tiles_n * p->batches * p->splits);
    if (!d) return false;
    FUM_EMIT_SPECS(d, t.bm, t.bn, t.bk, t.tm, t.tn, buffers, class->pad,
                   partial ? FUM_ACT_NONE : job->act, partial ? 0 : fum_gemm_epilogue_of(job->call),
                   p->channels % 4 != 0, job->transposed, partial, job->conv, job->up, job->norm,
                   job->norm_act, job->gate);
    for (int i = 0; i < FUM_GEMM_JOB_BINDINGS; i++) fum_emit_bind(d, job->bind[i]);
    fum_emit_push(d, p, sizeof *p);
    return !partial || fum_gemm_job_reduce(job, d, list);
}

// ---- the variants ----

// True if the device has room for the smallest tile, its seven bindings and all its push constants.
static bool has_room(const struct fum_device_info *info, enum fum_dtype dtype) {
    const struct fum_tiling smallest = {32, 4, 16, 1, 4};
    return fum_device_stores(info, dtype) && fum_tiling_fits(&smallest, info, 16) &&
           info->max_bindings >= FUM_GEMM_JOB_BINDINGS &&
           info->max_push_bytes >= sizeof(struct fum_gemm_push);
}

static bool add_f32(struct fum_gemm_job *job, struct fum_dispatches *list) {
    return add_product(job, false, list);
}
static bool add_f16(struct fum_gemm_job *job, struct fum_dispatches *list) {
    return add_product(job, true, list);
}

static bool tiled_matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                         struct fum_dispatches *list) {
    return fum_gemm_job_matmul(call, g, add_f32, list);
}

static bool tiled_conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                         struct fum_dispatches *list) {
    return fum_gemm_job_conv2d(call, c, add_f32, list);
}

const struct fum_variant fum_variant_tiled = {
    .name = "tiled",
    .summary = "tiles in shared memory, f32 arithmetic",
    .needs = "4 KiB of shared memory, 7 storage buffers, 128 bytes of push constants",
    .usable = has_room,
    .matmul = tiled_matmul,
    .conv2d = tiled_conv2d,
    .attention = fum_attention_tiled,
    .weight_gradient = fum_weight_gradient_tiled,
    .normalises = true,
    .gates = true,
};

static bool f16_usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return dtype == FUM_F16 && info->float16 && has_room(info, dtype);
}

static bool f16_matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                       struct fum_dispatches *list) {
    return fum_gemm_job_matmul(call, g, add_f16, list);
}

static bool f16_conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                       struct fum_dispatches *list) {
    return fum_gemm_job_conv2d(call, c, add_f16, list);
}

const struct fum_variant fum_variant_f16 = {
    .name = "f16",
    .summary = "tiles in shared memory, f16 arithmetic with f32 sums of every 16 terms",
    .needs = "f16 arithmetic, and what tiled needs",
    .usable = f16_usable,
    .matmul = f16_matmul,
    .conv2d = f16_conv2d,
    .normalises = true,
    .gates = true,
};
