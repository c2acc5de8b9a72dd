// SPDX-License-Identifier: MIT
// The variant "int8": products with weights of q8_0 by integer dot products. x is quantised alike,
// each 32 terms of a row, into scratch; products of integers are summed exactly within a block.
#include "ops/variants/variant.h"
#include "shaders/quantise_rows.pc.h"

// Terms of a block of q8_0, in w and in x.
enum { BINDINGS = 7, BLOCK = 32 };
// 127 steps on either side of the largest of 32 numbers, each rounded to the nearest: 5e-3 of
// normal ones, and more where few sums cancel.
static const double rounding = 1.5e-2;

static bool usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return fum_device_stores(info, dtype) && info->int_dot && info->max_bindings >= BINDINGS;
}

// Integers of a block are summed beside the sums in f32: half as many outputs as plain kernels.
static struct fum_gemm_tile choose_tile(const struct fum_device_info *info, int64_t rows,
                                        int64_t terms, int64_t quads, size_t quad_bytes) {
    struct fum_gemm_tile tile = fum_gemm_plain.choose(info, rows, terms, quads, quad_bytes);
    while (tile.rows > 4) tile.rows /= 2;
    tile.cols = FUM_MIN(tile.cols, 2);
    return tile;
}

// Adds what writes x as integers and factors into the scratch memory.
static bool quantise_x(const struct fum_op_call *call, const struct fum_gemm *g,
                       struct fum_dispatches *list) {
    int64_t fit = fum_gemm_rows_that_fit(call, list->info), blocks = g->k / BLOCK;
    struct fum_part part = {0};
    if (fit < 1) return fum_refuse_size(&list->why, list->info, "one row");
    while (fum_part_next(&part, 1, g->rows, (struct fum_cut){fit >= g->rows, fit})) {
        const struct fum_rows x = {&call->in[FUM_GEMM_X], part.first, part.count};
        struct fum_quantise_rows_push push = {.blocks = (uint32_t)(part.count * blocks),
                                              .first = (uint32_t)(part.first * blocks)};
        struct fum_dispatch *d =
            fum_emit(list, "quantise_rows", call->in[FUM_GEMM_X].dtype, push.blocks);
        if (!d) return false;
        push.x_skip = fum_emit_rows(list, d, FUM_GEMM_X, x);
        fum_emit_bind(d, fum_bind_scratch(0, g->packed_bytes, true));
        fum_emit_bind(d, fum_bind_scratch(g->packed_bytes, g->factor_bytes, true));
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

static bool matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                   struct fum_dispatches *list) {
    const struct fum_gemm_kernels kernels = {.matmul = "matmul_int8", .choose = choose_tile};
    struct fum_gemm g = *gemm;
    uint64_t align = FUM_MAX(list->info->binding_align, 1);
    g.factor_bytes = (uint64_t)(g.rows * g.k / BLOCK) * sizeof(float);
    g.packed_bytes = FUM_ALIGN_UP((uint64_t)(g.rows * g.k), align);
    if (g.k == 0 || g.packed_bytes > list->info->max_binding || !quantise_x(call, &g, list))
        return false;
    list->scratch_bytes = g.packed_bytes + g.factor_bytes;
    if (!fum_gemm_dispatch_by(&kernels, call, &g, list)) return false;
    list->rounding = rounding;
    return true;
}

const struct fum_variant fum_variant_int8 = {
    .name = "int8",
    .summary = "products with q8_0 weights by integer dot products",
    .needs = "integer dot products",
    .usable = usable,
    .matmul = matmul,
    .gates = true,
    .only = &fum_packing_q8_0,
};
