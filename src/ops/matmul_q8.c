// SPDX-License-Identifier: MIT
// matmul by a weight of q8_0 (FUM_PACK_Q8): the same inputs, settings and epilogue, without
// transposition. The kernels multiply the integers out to f32 as they read them; those of variant
// "int8" quantise x alike, each 32 terms of a row, and sum products of integers exactly within a
// block.
#include <stdio.h>

#include "base/dtype.h"
#include "base/macros.h"
#include "ops/lib/emit.h"
#include "ops/variants/texel.h"
#include "ops/variants/variant.h"
#include "weights/q8.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    if (call->attr[FUM_MATMUL_TRANSPOSE_B] != 0)
        return fum_refuse(why, "a q8 weight is not transposed");
    int64_t k = x->rank >= 2 ? fum_shape_channels(x) : 0;
    bool shares = fum_matmul_shares_x(call);
    if (x->rank < 2 || (w->rank != 2 && !shares) || call->in[1].dtype != FUM_F32 ||
        k % FUM_Q8_BLOCK || w->dim[w->rank - 2] != k / FUM_Q8_BLOCK * FUM_Q8_ROWS)
        return fum_refuse(
            why, "x must be [.., M, K], K a multiple of 32, and w f32 [K / 32 * 9, N] or, for one "
                 "x, a stack "
                 "of them");
    call->out.shape = *x;
    if (shares) call->out.shape.dim[0] = w->dim[0];
    call->out.shape.dim[x->rank - 1] = fum_shape_channels(w);
    call->out.dtype = call->in[0].dtype;
    return fum_gemm_infer_epilogue(call, 1, why) && fum_matmul_infer_gate(call, why);
}

static struct fum_gemm plan(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    bool shares = fum_matmul_shares_x(call);
    int64_t batches = shares ? w->dim[0] : 1;
    return (struct fum_gemm){
        .batches = batches,
        .rows = fum_shape_rows(x),
        .k = fum_shape_channels(x),
        .n = fum_shape_channels(w),
        .w_batches = batches,
        .w_div = 1,
        .w_mod = batches,
        .x_shared = shares,
        .row_rows = x->dim[x->rank - 2],
        .q8 = true,
        .act = (enum fum_act)call->attr[FUM_MATMUL_ACT],
        .scale = call->attr[FUM_MATMUL_SCALE],
        .gate = (enum fum_act)call->attr[FUM_MATMUL_GATE],
    };
}

double fum_q8_at(const double *w, int64_t columns, int64_t k, int64_t n) {
    const double *block = w + k / FUM_Q8_BLOCK * FUM_Q8_ROWS * columns + n;
    uint32_t word = fum_f32_word(block[k % FUM_Q8_BLOCK / 4 * columns]);
    uint32_t byte = word >> 8 * (k % 4) & 0xff;
    return ((double)byte - (byte & 0x80 ? 256 : 0)) * block[(FUM_Q8_ROWS - 1) * columns];
}

static double sum_at(const struct fum_gemm *g, const double *x, const double *w, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < g->k; k++) sum += x[k] * fum_q8_at(w, g->n, k, n);
    return sum * g->scale;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_gemm g = plan(call);
    int64_t width = g.gate ? g.n / 2 : g.n;
    for (int64_t n = 0; n < width; n++) {
        for (int64_t row = 0; row < g.batches * g.rows; row++) {
            const double *x = in[0] + row % g.rows * g.k,
                         *w = in[1] + row / g.rows * fum_gemm_weight_rows(&g) * g.n;
            double v = fum_gemm_finish(call, in, sum_at(&g, x, w, n), g.act, row, n);
            if (g.gate)
                v *= fum_gemm_finish(call, in, sum_at(&g, x, w, width + n), g.gate, row, width + n);
            out[row * width + n] = v;
        }
    }
}

// ---- dispatches ----

// Integers of a block are summed beside the sums in f32: half as many outputs.
static struct fum_gemm_tile choose_int8(const struct fum_device_info *info, int64_t rows,
                                        int64_t terms, int64_t quads, size_t quad_bytes) {
    struct fum_gemm_tile tile = fum_gemm_plain.choose(info, rows, terms, quads, quad_bytes);
    while (tile.rows > 4) tile.rows /= 2;
    if (tile.cols > 2) tile.cols = 2;
    return tile;
}

bool fum_gemm_dispatch_q8(const struct fum_op_call *call, const struct fum_gemm *g,
                          struct fum_dispatches *list) {
    const struct fum_gemm_kernels dequantising = {.matmul = "matmul_q8",
                                                  .choose = fum_gemm_plain.choose};
    // Texels of w are read as f32's, whatever their bits mean.
    const struct fum_gemm_kernels texel = {.matmul = "matmul_q8_texel",
                                           .choose = fum_gemm_texel.choose,
                                           .texels = 0x1f | 1u << (FUM_TEXELS_F32 + FUM_GEMM_W)};
    if (g->n == 0 || g->rows == 0) return true;
    if (fum_variant_matmul_q8(call, g, list)) return true;
    bool fetches = g->k > 0 && fum_gemm_unshared(list, call->out.dtype) == &fum_gemm_texel;
    return fum_gemm_dispatch_by(fetches ? &texel : &dequantising, call, g, list);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_gemm g = plan(call);
    return fum_gemm_dispatch_q8(call, &g, list);
}

static const struct fum_op_fusion fusion = {.epilogue = &fum_matmul_epilogue};

const struct fum_op fum_op_matmul_q8 = {
    .name = "matmul_q8",
    .attrs = fum_matmul_attrs,
    .min_inputs = 2,
    .max_inputs = 5,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = fum_matmul_flops,
    .fusion = &fusion,
};

bool fum_matmul_q8_choose(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const struct fum_shape *w = &site->call->in[FUM_GEMM_W].shape;
    int64_t k = w->rank < 2 ? 0 : w->dim[w->rank - 2];
    bool fits = w->rank == 2 || fum_matmul_shares_x(site->call);
    if (!fits || k == 0 || k % FUM_Q8_BLOCK) return false;
    struct fum_op_call quantised = *site->call;
    struct fum_dispatches list = {.info = site->info, .tuning = site->tuning};
    quantised.in[FUM_GEMM_W] = (struct fum_desc){*w, FUM_F32};
    quantised.in[FUM_GEMM_W].shape.dim[w->rank - 2] = k / FUM_Q8_BLOCK * FUM_Q8_ROWS;
    if (!infer(&quantised, NULL) || !dispatch(&quantised, &list)) return false;
    *weight = quantised.in[FUM_GEMM_W];
    return true;
}

// ---- variant "int8" ----

enum { INT8_BINDINGS = 7 };
// 127 steps on either side of the largest of 32 numbers, each rounded to the nearest: 5e-3 of
// normal ones, and more where few sums cancel.
static const double rounding = 1.5e-2;

static bool usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return fum_device_stores(info, dtype) && info->int_dot && info->max_bindings >= INT8_BINDINGS;
}

// x as integers and factors, into the scratch memory.
static bool quantise_rows(const struct fum_op_call *call, const struct fum_gemm *g,
                          struct fum_dispatches *list) {
    int64_t fit = fum_gemm_rows_that_fit(call, list->info), blocks = g->k / FUM_Q8_BLOCK;
    struct fum_part part = {0};
    if (fit < 1) return false;
    while (fum_part_next(&part, 1, g->rows, fit >= g->rows, fit)) {
        struct fum_dispatch *d = fum_dispatch_add(list);
        uint32_t x_skip;
        if (!d) return false;
        *d = (struct fum_dispatch){.shader = "quantise_rows",
                                   .dtype = call->in[0].dtype,
                                   .num_bind = 3,
                                   .spec = {fum_lanes(list->info), 1, 1},
                                   .num_spec = 3,
                                   .num_push = 3};
        fum_bind_rows(list, d, 0, FUM_GEMM_X, false, &call->in[0], part.first, part.count, &x_skip);
        d->bind[1] = (struct fum_dispatch_bind){FUM_SCRATCH, true, 0, g->x8_bytes};
        d->bind[2] = (struct fum_dispatch_bind){FUM_SCRATCH, true, g->x8_bytes, g->x8_factors};
        d->push[0] = (uint32_t)(part.count * blocks), d->push[1] = x_skip,
        d->push[2] = (uint32_t)(part.first * blocks);
        uint64_t lanes = d->spec[0];
        if (!fum_groups_1d(list->info, FUM_DIV_UP((uint64_t)d->push[0], lanes), d->groups))
            return false;
    }
    return true;
}

static bool int8_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                        struct fum_dispatches *list) {
    const struct fum_gemm_kernels kernels = {.matmul = "matmul_int8", .choose = choose_int8};
    struct fum_gemm g = *gemm;
    uint64_t align = list->info->binding_align ? list->info->binding_align : 1;
    g.x8_factors = (uint64_t)(g.rows * g.k / FUM_Q8_BLOCK) * sizeof(float);
    g.x8_bytes = FUM_ALIGN_UP((uint64_t)(g.rows * g.k), align);
    if (g.k == 0 || g.x8_bytes > list->info->max_binding || !quantise_rows(call, &g, list))
        return false;
    list->scratch_bytes = g.x8_bytes + g.x8_factors;
    if (!fum_gemm_dispatch_by(&kernels, call, &g, list)) return false;
    list->rounding = rounding;
    return true;
}

const struct fum_variant fum_variant_int8 = {
    .name = "int8",
    .summary = "products with q8_0 weights by integer dot products",
    .needs = "integer dot products",
    .usable = usable,
    .matmul_q8 = int8_matmul,
};
