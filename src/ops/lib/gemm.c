// SPDX-License-Identifier: MIT
#include "ops/lib/gemm.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ops/lib/unary.h"
#include "ops/variants/texel.h"
#include "ops/variants/variant.h"

const struct fum_epilogue fum_gemm_epilogue = {
    .row_input = FUM_GEMM_ROW, .residual_input = FUM_GEMM_RESIDUAL, .act_attr = "act"};

// Rough cost of a workgroup's step over four terms of the sum, in fused multiply-adds of one
// component. Measured on lavapipe: a quad of x, the same for all lanes, costs as much as 16 of
// them, a quad of w two.
static double tile_cost(int64_t rows, int64_t cols) {
    return (double)(16 * rows * cols + 16 * rows + 8 * cols);
}

// Largest blocks: 8 x 2 quads on GPUs. On CPUs, whose registers spill to the first-level cache
// anyway, 8 x 4, and 16 x 4 where the work is worth the second or two that compiling it takes,
// which no product of a model with small weights is; there little work gets a kernel that compiles
// at once, and few different ones.
static struct fum_gemm_tile choose(const struct fum_device_info *info, int64_t rows, int64_t terms,
                                   int64_t quads, size_t quad_bytes) {
    struct fum_gemm_tile tile = {.rows = 1, .cols = 1, .lanes = fum_lanes(info), .lanes_n = 1};
    bool cpu = info->type == FUM_DEVICE_CPU;
    uint32_t lanes = tile.lanes, most_lanes = lanes < 8 ? lanes : 8;
    double work = (double)rows * (double)terms * (double)quads, best = 0;
    if (cpu && work < 1e6) {
        tile.rows = rows <= 2 ? 2 : 4;
        tile.lanes_n = quads <= 2 ? 1 : most_lanes;
        tile.any_epilogue = true;
        return tile;
    }
    bool large = cpu && (work > 90e6 || (work > 25e6 && (double)terms * (double)quads > 2e4));
    for (uint32_t ln = most_lanes; ln; ln /= 2) {
        for (uint32_t r = large ? 16 : 8; r; r /= cpu ? 4 : 2) {
            for (uint32_t c = cpu ? 4 : 2; c; c /= 2) {
                int64_t high = (int64_t)r * (lanes / ln), wide = (int64_t)c * ln;
                double tiles_m = (double)FUM_DIV_UP(rows, high),
                       tiles_n = (double)FUM_DIV_UP(quads, wide);
                // All tiles along the rows read the same columns of w: after the first from the
                // second-level cache where they fit it, else, at some 12 operations a quad, from
                // behind it.
                bool cached = (double)(terms * wide) * (double)quad_bytes < 1.25e6;
                double missing = !cpu ? 0 : cached ? 1 : tiles_m;
                double cost =
                    tiles_n * (tiles_m * tile_cost(r, c) + missing * 12 * 4 * (double)wide);
                if (best == 0 || cost < best) {
                    best = cost;
                    tile.rows = r;
                    tile.cols = c;
                    tile.lanes_n = ln;
                }
            }
        }
    }
    // Small blocks on CPU devices look the epilogue up at run time.
    tile.any_epilogue = cpu && tile.rows <= 8;
    return tile;
}

const struct fum_gemm_kernels fum_gemm_plain = {
    .matmul = "matmul", .conv2d = "conv2d", .choose = choose};

int64_t fum_gemm_begin(const struct fum_gemm_kernels *kernels, const char *shader,
                       const struct fum_device_info *info, const struct fum_op_call *call,
                       struct fum_dispatch *d, int64_t rows, int64_t taps, int64_t k, int64_t n,
                       enum fum_act act, int64_t *tiles_m) {
    int64_t quads = FUM_DIV_UP(n, 4);
    struct fum_gemm_tile t =
        kernels->choose(info, rows, taps * k, quads, 4 * fum_dtype_size(call->out.dtype));
    t.lanes = t.lanes / t.lanes_n * t.lanes_n;
    int64_t tile_rows = (int64_t)t.rows * (t.lanes / t.lanes_n),
            tile_quads = (int64_t)t.cols * t.lanes_n;
    *tiles_m = FUM_DIV_UP(rows, tile_rows);
    uint32_t epilogue = (call->has[FUM_GEMM_BIAS] ? 1u : 0u) | (call->has[FUM_GEMM_ROW] ? 2u : 0u) |
                        (call->has[FUM_GEMM_RESIDUAL] ? 4u : 0u);
    const uint32_t spec[] = {
        t.lanes,   1, 1, t.rows, t.cols, t.lanes_n, (uint32_t)act, t.any_epilogue ? 8 : epilogue,
        k % 4 != 0};
    d->shader = shader;
    d->texels = kernels->texels;
    memcpy(d->spec, spec, sizeof spec);
    d->num_spec = FUM_COUNT(spec);
    int64_t tiles_n = FUM_DIV_UP(quads, tile_quads);
    const uint32_t push[] = {(uint32_t)k,     (uint32_t)n,       (uint32_t)FUM_DIV_UP(k, 4),
                             (uint32_t)quads, (uint32_t)tiles_n, epilogue};
    memcpy(d->push, push, sizeof push);
    d->num_push = FUM_COUNT(push);
    return tiles_n;
}

bool fum_gemm_infer_epilogue(const struct fum_op_call *call, int inner, struct fum_why *why) {
    const struct fum_shape *out = &call->out.shape;
    int64_t n = fum_shape_channels(out), images = 1;
    for (int i = 0; i + 1 + inner < out->rank; i++) images *= out->dim[i];
    if (call->has[FUM_GEMM_BIAS]) {
        const struct fum_shape *s = &call->in[FUM_GEMM_BIAS].shape;
        if (fum_shape_channels(s) != n || fum_shape_rows(s) != 1)
            return fum_refuse(why, "the bias must have %lld elements", (long long)n);
    }
    if (call->has[FUM_GEMM_ROW]) {
        const struct fum_shape *s = &call->in[FUM_GEMM_ROW].shape;
        int64_t rows = fum_shape_rows(s);
        bool flat = true; // size 1 along the rows of an image
        for (int i = 0; i < inner; i++)
            if (s->rank - 2 - i >= 0 && s->dim[s->rank - 2 - i] != 1) flat = false;
        if (fum_shape_channels(s) != n || !flat || (rows != 1 && rows != images))
            return fum_refuse(
                why, "the added row must have %lld channels, for all or for each of %lld batches",
                (long long)n, (long long)images);
    }
    if (call->has[FUM_GEMM_RESIDUAL]) {
        const struct fum_shape *s = &call->in[FUM_GEMM_RESIDUAL].shape;
        if (fum_shape_channels(s) != n || fum_shape_rows(s) != fum_shape_rows(out))
            return fum_refuse(why, "the residual must have the output's shape");
    }
    return true;
}

double fum_gemm_finish(const struct fum_op_call *call, const double *const *in, double sum,
                       enum fum_act act, int64_t row, int64_t channel) {
    int64_t n = fum_shape_channels(&call->out.shape);
    if (call->has[FUM_GEMM_BIAS]) sum += in[FUM_GEMM_BIAS][channel];
    if (call->has[FUM_GEMM_ROW]) {
        int64_t rows = fum_shape_rows(&call->in[FUM_GEMM_ROW].shape);
        sum += in[FUM_GEMM_ROW][row * rows / fum_shape_rows(&call->out.shape) * n + channel];
    }
    sum = fum_act_reference(act, sum);
    if (call->has[FUM_GEMM_RESIDUAL]) sum += in[FUM_GEMM_RESIDUAL][row * n + channel];
    return sum;
}

void fum_gemm_bind_epilogue(const struct fum_dispatches *list, const struct fum_op_call *call,
                            struct fum_dispatch *d, int64_t first, int64_t count,
                            uint32_t *residual_skip) {
    *residual_skip = 0;
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_ROW; i++)
        d->bind[i] = call->has[i] ? (struct fum_dispatch_bind){.operand = i} : d->bind[0];
    if (call->has[FUM_GEMM_RESIDUAL])
        fum_bind_rows(list, d, FUM_GEMM_RESIDUAL, FUM_GEMM_RESIDUAL, false,
                      &call->in[FUM_GEMM_RESIDUAL], first, count, residual_skip);
    else
        d->bind[FUM_GEMM_RESIDUAL] = d->bind[0];
}

int64_t fum_gemm_rows_that_fit(const struct fum_op_call *call, const struct fum_device_info *info) {
    int64_t fit = fum_rows_per_binding(info, &call->out);
    fit = fum_min_i64(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_X]));
    if (call->has[FUM_GEMM_RESIDUAL])
        fit = fum_min_i64(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_RESIDUAL]));
    return fum_min_i64(fit, INT32_MAX / 2);
}

// Invocations of the kernels that read no texels hold values and gates: an even number of columns.
// Returns the tiles along n.
static int64_t pair_columns(struct fum_dispatch *d, int64_t tiles_n) {
    // of the specialisation and of the push constants
    enum { COLS = 4, LANES_N = 5, NQ = 3, TILES_N = 4 };
    if (d->spec[COLS] > 1) return tiles_n;
    d->spec[COLS] = 2;
    uint32_t wide = 2 * d->spec[LANES_N];
    d->push[TILES_N] = FUM_DIV_UP(d->push[NQ], wide);
    return d->push[TILES_N];
}

int64_t fum_gemm_weight_rows(const struct fum_gemm *g) {
    if (g->q8) return g->k / FUM_Q8_BLOCK * FUM_Q8_ROWS;
    return g->transposed ? g->n : g->k;
}

// x as its quantisation has left it; the kernel finds a row's factors by where its integers are.
static void bind_quantised(struct fum_dispatch *d, const struct fum_gemm *g, int64_t first,
                           uint32_t *x_skip) {
    d->bind[0] = (struct fum_dispatch_bind){FUM_SCRATCH, false, 0, g->x8_bytes};
    d->bind[6] = (struct fum_dispatch_bind){FUM_SCRATCH, false, g->x8_bytes, g->x8_factors};
    d->num_bind = 7;
    *x_skip = (uint32_t)(first * g->k / 16);
}

// One dispatch of fum_gemm_dispatch.
static bool add_part(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                     const struct fum_gemm *g, const struct fum_part *part, bool window_w,
                     struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d)
        return fum_refuse(&list->why, "needs more than %d dispatches to fit the device's bindings",
                          FUM_MAX_DISPATCHES);
    *d = (struct fum_dispatch){.dtype = call->out.dtype, .num_bind = 6};
    int64_t tiles_m, tiles_n = fum_gemm_begin(kernels, kernels->matmul, list->info, call, d,
                                              part->count, 1, g->k, g->n, g->act, &tiles_m);
    d->spec[d->num_spec++] = g->transposed;
    d->spec[d->num_spec++] = g->gate;
    if (g->gate && !kernels->texels) tiles_n = pair_columns(d, tiles_n);

    int64_t first = part->batch * g->rows + part->first, count = part->batches * part->count;
    int64_t w_rows = fum_gemm_weight_rows(g), x_first = g->x_shared ? part->first : first;
    uint32_t x_skip = 0, w_skip = 0, y_skip = 0, residual_skip;
    fum_bind_rows(list, d, 5, FUM_OUT, true, &call->out, first, count, &y_skip);
    if (g->k == 0) { // nothing to read: x and w have no bytes
        d->bind[0] = d->bind[5];
        d->bind[0].write = false;
        d->bind[1] = d->bind[0];
    } else {
        if (g->x8_bytes)
            bind_quantised(d, g, x_first, &x_skip);
        else
            fum_bind_rows(list, d, 0, FUM_GEMM_X, false, &call->in[0], x_first,
                          g->x_shared ? part->count : count, &x_skip);
        fum_bind_rows(list, d, 1, FUM_GEMM_W, false, &call->in[1],
                      window_w ? part->batch * w_rows : 0,
                      (window_w ? part->batches : g->w_batches) * w_rows, &w_skip);
    }
    fum_gemm_bind_epilogue(list, call, d, first, count, &residual_skip);

    int64_t shared = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1
                         ? g->row_rows
                         : 0;
    float scale = (float)g->scale;
    uint32_t scale_bits;
    memcpy(&scale_bits, &scale, sizeof scale);
    const uint32_t push[] = {(uint32_t)part->count,
                             (uint32_t)part->batches,
                             (uint32_t)tiles_m,
                             x_skip,
                             w_skip,
                             y_skip,
                             residual_skip,
                             g->x_shared ? 0 : (uint32_t)g->w_div,
                             (uint32_t)g->w_mod,
                             (uint32_t)(shared ? first / shared : 0),
                             (uint32_t)(shared ? first % shared : 0),
                             (uint32_t)fum_min_i64(shared, UINT32_MAX),
                             scale_bits};
    memcpy(d->push + d->num_push, push, sizeof push);
    d->num_push += (int)FUM_COUNT(push);
    if (!fum_groups_1d(list->info, (uint64_t)(tiles_m * tiles_n * part->batches), d->groups))
        return fum_refuse(&list->why, "needs more workgroups than the device has");
    return true;
}

bool fum_gemm_dispatch(const struct fum_op_call *call, const struct fum_gemm *g,
                       struct fum_dispatches *list) {
    if (g->n == 0 || g->rows == 0 || g->batches == 0) return true;
    const struct fum_gemm_kernels *rest =
        g->gate && g->k > 0 ? fum_gemm_unshared(list, call->out.dtype) : &fum_gemm_plain;
    return fum_variant_matmul(call, g, list) || fum_gemm_dispatch_by(rest, call, g, list);
}

bool fum_gemm_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_gemm *g, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    int64_t fit = fum_gemm_rows_that_fit(call, info);
    if (fit < 1)
        return fum_refuse(&list->why, "one row is over the device's largest binding of %llu bytes",
                          (unsigned long long)info->max_binding);
    int64_t w_rows = fum_gemm_weight_rows(g),
            w_fit = fum_rows_per_binding(info, &call->in[FUM_GEMM_W]);
    int64_t w_whole = w_rows ? w_fit / w_rows : INT64_MAX; // batches of w that fit one binding
    // Each batch of x has its own of w: a part then binds only its batches of w.
    bool own_w = g->w_batches > 1 && g->w_batches == g->batches;
    if (own_w ? w_whole < 1 : w_whole < g->w_batches)
        return fum_refuse(
            &list->why,
            "the weight of %llu bytes is over the device's largest binding of %llu bytes",
            (unsigned long long)fum_desc_bytes(&call->in[FUM_GEMM_W]),
            (unsigned long long)info->max_binding);
    int64_t whole = g->rows ? fit / g->rows : 0;
    if (own_w) whole = fum_min_i64(whole, w_whole);
    if (g->w_batches > 1 && !own_w && whole < g->batches)
        return fum_refuse(
            &list->why,
            "x with a weight broadcast over one of two batch dimensions must fit one binding");
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->rows, whole, fit))
        if (!add_part(kernels, call, g, &part, own_w, list)) return false;
    return true;
}

bool fum_gemm_product(const struct fum_dispatches *list, struct fum_dispatch *d,
                      const struct fum_gemm_kernels *kernels, int64_t batches, int64_t rows,
                      int64_t k, int64_t n, bool transposed, double scale, const uint32_t skip[3]) {
    const struct fum_op_call plain = {.out = {.dtype = FUM_F32}};
    int64_t tiles_m, tiles_n = fum_gemm_begin(kernels, kernels->matmul, list->info, &plain, d, rows,
                                              1, k, n, FUM_ACT_NONE, &tiles_m);
    d->spec[d->num_spec++] = transposed;
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++) d->bind[i] = d->bind[0];
    float factor = (float)scale;
    uint32_t bits;
    memcpy(&bits, &factor, sizeof bits);
    const uint32_t push[] = {(uint32_t)rows,
                             (uint32_t)batches,
                             (uint32_t)tiles_m,
                             skip[0],
                             skip[1],
                             skip[2],
                             0,
                             1,
                             (uint32_t)batches,
                             0,
                             0,
                             0,
                             bits};
    memcpy(d->push + d->num_push, push, sizeof push);
    d->num_push += (int)FUM_COUNT(push);
    return fum_groups_1d(list->info, (uint64_t)(tiles_m * tiles_n * batches), d->groups);
}
