// SPDX-License-Identifier: MIT
// conv2d of 3x3 taps, stride 1 and padding 1 by Winograd's minimal filtering, after Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks" (2016): y = A^T [U (B^T d B)] A with U = G g
// G^T. F(4x4, 3x3) takes a quarter of conv2d's multiplications, for two passes over the image and a
// weight four times as large; F(2x2, 3x3) 4/9 of them and a weight of 16/9. The weight is U itself,
// [36, in, out] or [16, in, out], packed so when the model loads (FUM_PACK_WINOGRAD), in f32 or
// f16; V = B^T d B, products and sums are f32 for every storage type. Other inputs and settings are
// conv2d's.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "ops/lib/emit.h"
#include "ops/variants/texel.h"
#include "ops/lib/unary.h"
#include "ops/lib/winograd.h"

enum { MOST_TAPS = 6 };

static struct fum_conv conv_of(const struct fum_op_call *call) {
    const int64_t *x = call->in[0].shape.dim, *y = call->out.shape.dim;
    return (struct fum_conv){x[0], x[1], x[2], x[3],
                             y[1], y[2], y[3], 3,
                             3,    1,    1,    call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1,
                             false};
}

// Of the output's tiles, by the points of a tile that U has: 0 where Winograd has none of so many.
static int tile_of(const struct fum_desc *w) {
    return w->shape.dim[0] == 36 ? 4 : w->shape.dim[0] == 16 ? 2 : 0;
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    if (x->rank != 4 || w->rank != 3 || !tile_of(&call->in[1]) || w->dim[1] != x->dim[3])
        return fum_refuse(
            why, "x must be [batch, height, width, in] and w [36, in, out] or [16, in, out]");
    if (call->attr[FUM_CONV_STRIDE] != 1 || call->attr[FUM_CONV_PAD] != 1 ||
        call->attr[FUM_CONV_PAD_END_EXTRA] != 0 ||
        (call->in[1].dtype != FUM_F32 && call->in[1].dtype != FUM_F16))
        return fum_refuse(why,
                          "only stride 1 and padding 1 go by tiles, and weights of f32 or f16");
    int64_t up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1;
    call->out.shape = (struct fum_shape){4, {x->dim[0], x->dim[1] * up, x->dim[2] * up, w->dim[2]}};
    call->out.dtype = call->in[0].dtype;
    return fum_conv_infer_norm(call, why) && fum_gemm_infer_epilogue(call, 2, why);
}

// ---- reference ----

typedef double point_grid[MOST_TAPS][MOST_TAPS];

static const point_grid BT4 = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                               {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
static const point_grid AT4 = {
    {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};
static const point_grid BT2 = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const point_grid AT2 = {{1, 1, 1, 0}, {0, 1, -1, -1}};

// d = m v m^T for a matrix m of `rows` rows and v of `taps` by `taps`.
static void both_sides(const double (*m)[MOST_TAPS], int rows, int taps, double (*v)[MOST_TAPS],
                       double (*d)[MOST_TAPS]) {
    point_grid t = {{0}};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < taps; j++)
            for (int k = 0; k < taps; k++) t[i][j] += m[i][k] * v[k][j];
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < rows; j++) {
            d[i][j] = 0;
            for (int k = 0; k < taps; k++) d[i][j] += t[i][k] * m[j][k];
        }
    }
}

// B^T d B of one tile and channel.
static void input_tile(const struct fum_op_call *call, const struct fum_conv *c,
                       const double *const *in, int64_t b, int64_t ty, int64_t tx, int64_t k,
                       double (*v)[MOST_TAPS]) {
    int tile = tile_of(&call->in[1]);
    point_grid d = {{0}};
    const double *norm = call->has[FUM_CONV_NORM] ? in[FUM_CONV_NORM] + b * 2 * c->in_c : NULL;
    for (int64_t i = 0; i < tile + 2; i++) {
        for (int64_t j = 0; j < tile + 2; j++) {
            int64_t iy = ty * tile - 1 + i, ix = tx * tile - 1 + j;
            if (iy < 0 || iy >= c->in_h * c->up || ix < 0 || ix >= c->in_w * c->up) continue;
            double x = in[0][((b * c->in_h + iy / c->up) * c->in_w + ix / c->up) * c->in_c + k];
            if (norm)
                x = fum_act_reference((enum fum_act)call->attr[FUM_CONV_NORM_ACT],
                                      x * norm[k] + norm[c->in_c + k]);
            d[i][j] = x;
        }
    }
    both_sides(tile == 4 ? BT4 : BT2, tile + 2, tile + 2, d, v);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv c = conv_of(call);
    int tile = tile_of(&call->in[1]), taps = tile + 2;
    int64_t tiles_y = FUM_DIV_UP(c.out_h, tile), tiles_x = FUM_DIV_UP(c.out_w, tile);
    point_grid *v = fum_calloc((size_t)c.in_c + 1, sizeof *v), m, y;
    for (int64_t t = 0; v && t < c.batches * tiles_y * tiles_x; t++) {
        int64_t b = t / (tiles_y * tiles_x), ty = t / tiles_x % tiles_y, tx = t % tiles_x;
        for (int64_t k = 0; k < c.in_c; k++) input_tile(call, &c, in, b, ty, tx, k, v[k]);
        for (int64_t n = 0; n < c.out_c; n++) {
            for (int64_t p = 0; p < taps * taps; p++) {
                double sum = 0;
                for (int64_t k = 0; k < c.in_c; k++)
                    sum += v[k][p / taps][p % taps] * in[1][(p * c.in_c + k) * c.out_c + n];
                m[p / taps][p % taps] = sum;
            }
            both_sides(tile == 4 ? AT4 : AT2, tile, taps, m, y);
            for (int64_t i = 0; i < tile * tile; i++) {
                int64_t oy = ty * tile + i / tile, ox = tx * tile + i % tile,
                        row = (b * c.out_h + oy) * c.out_w + ox;
                if (oy >= c.out_h || ox >= c.out_w) continue;
                out[row * c.out_c + n] =
                    fum_gemm_finish(call, in, y[i / tile][i % tile],
                                    (enum fum_act)call->attr[FUM_CONV_ACT], row, n);
            }
        }
    }
    fum_free(v);
}

// ---- dispatches ----

// A part of the output in tiles: the rows of tiles of some images.
struct work {
    const struct fum_op_call *call;
    const struct fum_conv *conv;
    struct fum_part part;
    int64_t tile, points;   // pixels of a tile's side; of its transform
    int64_t tiles_x, tiles; // of a row of tiles; all
    int64_t out_rows;       // of one image
    uint64_t v_bytes, m_bytes;
};

static uint64_t align(const struct fum_dispatches *list, uint64_t bytes) {
    uint64_t a = list->info->binding_align ? list->info->binding_align : 1;
    return FUM_ALIGN_UP(bytes, a);
}

static bool groups_for(const struct fum_dispatches *list, struct fum_dispatch *d, int64_t tiles,
                       int64_t quads) {
    int64_t lanes = d->spec[0];
    return fum_groups_1d(list->info, (uint64_t)(tiles * FUM_DIV_UP(quads, lanes)), d->groups);
}

// Of f32 and of 16 bits alike: operands are of both.
static bool reads_texels(const struct fum_dispatches *list) {
    return fum_texels_pay(list->info, list->tuning, FUM_F32) && fum_texels_fit(list->info, FUM_F16);
}

static bool add_input(struct fum_dispatches *list, const struct work *w) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    const struct fum_op_call *call = w->call;
    const struct fum_conv *c = w->conv;
    if (!d) return false;
    bool norm = call->has[FUM_CONV_NORM];
    bool texels = reads_texels(list);
    *d = (struct fum_dispatch){
        .shader = texels ? "winograd_input_texel" : "winograd_input",
        .dtype = call->in[0].dtype,
        .texels = texels ? 3 | 1u << (FUM_TEXELS_F32 + 1) : 0,
        .num_bind = 3,
        .spec = {fum_lanes(list->info), 1, 1, norm,
                 norm ? (uint32_t)call->attr[FUM_CONV_NORM_ACT] : FUM_ACT_NONE, (uint32_t)w->tile},
        .num_spec = 6};
    int64_t first_y = w->part.first * w->tile, in_first = 0, in_rows = c->in_h,
            quads = FUM_DIV_UP(c->in_c, 4);
    if (w->out_rows < c->out_h) fum_conv_input_rows(c, first_y, w->out_rows, &in_first, &in_rows);
    uint32_t x_skip, norm_skip = 0;
    fum_bind_rows(list, d, 0, FUM_GEMM_X, false, &call->in[0],
                  (w->part.batch * c->in_h + in_first) * c->in_w,
                  ((w->part.batches - 1) * c->in_h + in_rows) * c->in_w, &x_skip);
    d->bind[1] = d->bind[0];
    if (norm)
        fum_bind_rows(list, d, 1, FUM_CONV_NORM, false, &call->in[FUM_CONV_NORM], 2 * w->part.batch,
                      2 * w->part.batches, &norm_skip);
    d->bind[2] =
        (struct fum_dispatch_bind){.operand = FUM_SCRATCH, .write = true, .bytes = w->v_bytes};
    const uint32_t push[] = {(uint32_t)quads,
                             (uint32_t)w->tiles,
                             (uint32_t)w->tiles_x,
                             (uint32_t)w->part.count,
                             (uint32_t)first_y,
                             (uint32_t)c->in_h,
                             (uint32_t)c->in_w,
                             c->up == 2,
                             (uint32_t)in_first,
                             x_skip,
                             norm_skip};
    memcpy(d->push, push, sizeof push);
    d->num_push = FUM_COUNT(push);
    return groups_for(list, d, w->tiles, quads);
}

// Bytes [at, at + bytes) of scratch as a window on the device's alignment; *skip: quads before
// them.
static struct fum_dispatch_bind scratch_window(const struct fum_dispatches *list, bool write,
                                               uint64_t at, uint64_t bytes, uint32_t *skip) {
    uint64_t offset = at - at % (list->info->binding_align ? list->info->binding_align : 1);
    *skip = (uint32_t)((at - offset) / 16);
    return (struct fum_dispatch_bind){FUM_SCRATCH, write, offset, at - offset + bytes};
}

// The products of all points, as many at once as a binding of U holds.
static bool add_products(struct fum_dispatches *list, const struct work *w) {
    const struct fum_conv *c = w->conv;
    struct fum_gemm_kernels kernels =
        reads_texels(list) ? *fum_gemm_unshared(list, FUM_F32) : fum_gemm_plain;
    if (w->call->in[1].dtype == FUM_F16) {
        if (kernels.texels)
            kernels.texels |= 1u << (FUM_TEXELS_F16 + FUM_GEMM_W);
        else
            kernels.matmul = "matmul_half";
    }
    int64_t each =
        fum_min_i64(w->points, fum_rows_per_binding(list->info, &w->call->in[1]) / c->in_c);
    uint64_t v_each = w->v_bytes / (uint64_t)w->points, m_each = w->m_bytes / (uint64_t)w->points;
    uint64_t m_first = align(list, w->v_bytes);
    for (int64_t p = 0; p < w->points && each > 0; p += each) {
        struct fum_dispatch *d = fum_dispatch_add(list);
        if (!d) return false;
        *d = (struct fum_dispatch){.dtype = FUM_F32, .num_bind = 6};
        uint64_t from = (uint64_t)p, count = (uint64_t)fum_min_i64(each, w->points - p);
        uint32_t skip[3];
        d->bind[0] = scratch_window(list, false, from * v_each, count * v_each, &skip[0]);
        fum_bind_rows(list, d, 1, FUM_GEMM_W, false, &w->call->in[1], p * c->in_c,
                      (int64_t)count * c->in_c, &skip[1]);
        d->bind[5] = scratch_window(list, true, m_first + from * m_each, count * m_each, &skip[2]);
        if (!fum_gemm_product(list, d, &kernels, (int64_t)count, w->tiles, c->in_c, c->out_c, false,
                              1, skip))
            return false;
    }
    return each > 0;
}

static bool add_output(struct fum_dispatches *list, const struct work *w) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    const struct fum_op_call *call = w->call;
    const struct fum_conv *c = w->conv;
    if (!d) return false;
    uint32_t epilogue = (call->has[FUM_GEMM_BIAS] ? 1u : 0u) | (call->has[FUM_GEMM_ROW] ? 2u : 0u) |
                        (call->has[FUM_GEMM_RESIDUAL] ? 4u : 0u);
    bool texels = reads_texels(list);
    *d = (struct fum_dispatch){.shader = texels ? "winograd_output_texel" : "winograd_output",
                               .dtype = call->out.dtype,
                               .texels = texels ? 15 | 1u << FUM_TEXELS_F32 : 0,
                               .num_bind = 5,
                               .spec = {fum_lanes(list->info), 1, 1,
                                        (uint32_t)call->attr[FUM_CONV_ACT], epilogue,
                                        (uint32_t)w->tile},
                               .num_spec = 6};
    int64_t y_first = (w->part.batch * c->out_h + w->part.first * w->tile) * c->out_w;
    int64_t y_count = w->part.batches * w->out_rows * c->out_w, quads = FUM_DIV_UP(c->out_c, 4);
    uint32_t y_skip, residual_skip = 0;
    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    d->bind[0] =
        (struct fum_dispatch_bind){FUM_SCRATCH, false, align(list, w->v_bytes), w->m_bytes};
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        d->bind[i - 1] = call->has[i] ? (struct fum_dispatch_bind){.operand = i} : d->bind[0];
    if (call->has[FUM_GEMM_RESIDUAL])
        fum_bind_rows(list, d, 3, FUM_GEMM_RESIDUAL, false, &call->in[FUM_GEMM_RESIDUAL], y_first,
                      y_count, &residual_skip);
    fum_bind_rows(list, d, 4, FUM_OUT, true, &call->out, y_first, y_count, &y_skip);
    const uint32_t push[] = {(uint32_t)quads,
                             (uint32_t)w->tiles,
                             (uint32_t)w->tiles_x,
                             (uint32_t)w->part.count,
                             (uint32_t)w->out_rows,
                             (uint32_t)c->out_w,
                             y_skip,
                             residual_skip,
                             own_row ? (uint32_t)w->part.batch : 0,
                             own_row};
    memcpy(d->push, push, sizeof push);
    d->num_push = FUM_COUNT(push);
    return groups_for(list, d, w->tiles, quads);
}

// V and m of a part: a step of SD1.5 at 512x512 stays within 400 barriers. Less, which the cache
// would hold, is no faster.
enum { SCRATCH_BYTES = 68 << 20, MOST_PARTS = 16 };

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv c = conv_of(call);
    if (fum_shape_count(&call->out.shape) == 0) return true;
    int64_t tile = tile_of(&call->in[1]), points = call->in[1].shape.dim[0];
    struct work w = {.call = call,
                     .conv = &c,
                     .tile = tile,
                     .points = points,
                     .tiles_x = FUM_DIV_UP(c.out_w, tile)};
    int64_t tile_rows = FUM_DIV_UP(c.out_h, tile), all = c.batches * tile_rows * w.tiles_x;
    uint64_t v_row = (uint64_t)(FUM_DIV_UP(c.in_c, 4) * points) * 16,
             m_row = (uint64_t)(FUM_DIV_UP(c.out_c, 4) * points) * 16;
    // Tiles of a part: by the cache, by how many parts the list has room for, by the bindings.
    const struct fum_device_info *info = list->info;
    uint64_t piece =
        info->max_allocation < info->max_buffer ? info->max_allocation : info->max_buffer;
    int64_t most = (int64_t)(SCRATCH_BYTES / (v_row + m_row));
    if (most < all / MOST_PARTS) most = all / MOST_PARTS;
    if (piece)
        most =
            fum_min_i64(most, (int64_t)((piece - (piece < 256 ? piece : 256)) / (v_row + m_row)));
    most = fum_min_i64(most, (int64_t)(info->max_binding / (v_row > m_row ? v_row : m_row)));
    int64_t fit =
        fum_min_i64(most / w.tiles_x, (fum_conv_rows_that_fit(call, &c, info) - tile + 1) / tile);
    int64_t image = c.in_h * c.in_w,
            in_whole = image ? fum_rows_per_binding(info, &call->in[0]) / image : 0;
    int64_t whole = fum_min_i64(fit / tile_rows, in_whole);
    if (fit < 1)
        return fum_refuse(&list->why,
                          "one row of tiles is over the device's largest binding of %llu bytes",
                          (unsigned long long)info->max_binding);
    while (fum_part_next(&w.part, c.batches, tile_rows, whole, fit)) {
        w.tiles = w.part.batches * w.part.count * w.tiles_x;
        w.out_rows = fum_min_i64(w.part.count * tile, c.out_h - w.part.first * tile);
        w.v_bytes = (uint64_t)w.tiles * v_row;
        w.m_bytes = (uint64_t)w.tiles * m_row;
        uint64_t scratch = align(list, w.v_bytes) + w.m_bytes;
        if (scratch > list->scratch_bytes) list->scratch_bytes = scratch;
        if (add_input(list, &w) && add_products(list, &w) && add_output(list, &w)) continue;
        return fum_refuse(&list->why,
                          "needs more than %d dispatches or more workgroups than the device has",
                          FUM_MAX_DISPATCHES);
    }
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 2.0 * (double)fum_shape_count(&call->out.shape) * 9.0 * (double)call->in[0].shape.dim[3];
}

// The input transform reads each pixel only 2.25 or 4 times.
static bool reads_normalised(const struct fum_device_info *info, const struct fum_op_call *call) {
    (void)info, (void)call;
    return true;
}

static const struct fum_input_read reads = {.double_attr = "upsample",
                                            .norm_input = FUM_CONV_NORM,
                                            .norm_act_attr = "norm_act",
                                            .reads_normalised = reads_normalised};
static const struct fum_op_fusion fusion = {.epilogue = &fum_gemm_epilogue, .reads = &reads};

const struct fum_op fum_op_conv2d_winograd = {
    .name = "conv2d_winograd",
    .attrs = fum_conv_attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
    .fusion = &fusion,
};

// ---- when it pays ----

// Shares of the multiply-add limit that lavapipe reaches, arithmetic counted as direct: direct 0.4
// to 0.46, F(2x2) 0.6 to 0.8, F(4x4) 1.0 to 1.2. What a pair of channels gains grows with the
// pixels, by what its weight grows does not: from so many pixels on a byte of it saves the time of
// 80 operations. Below the fewest, products have too few rows. Less than the least share of a
// stage's arithmetic is not worth two dispatches more.
enum { LEAST_CHANNELS = 32, LEAST_PIXELS = 128, PIXELS_OF_4 = 1024 };
#define LEAST_SHARE 0.0048

// Of weights rounded to f16 F(4x4) makes an error ten times as large as that of rounding its
// output, F(2x2) one and a half times: so in 16-bit storage F(4x4)'s weights are f32, eight times
// as large as conv2d's, which only small ones for large images are worth.
enum { PIXELS_OF_4_FROM_16_BITS = 8192, BYTES_OF_4_FROM_16_BITS = 64 << 20 };

static struct fum_desc weight_of(const struct fum_conv *c, enum fum_dtype storage) {
    int64_t pixels = c->batches * c->out_h * c->out_w;
    const struct fum_desc large = {{3, {36, c->in_c, c->out_c}}, FUM_F32};
    bool four = pixels >= PIXELS_OF_4;
    if (storage != FUM_F32)
        four =
            pixels >= PIXELS_OF_4_FROM_16_BITS && fum_desc_bytes(&large) <= BYTES_OF_4_FROM_16_BITS;
    if (four) return large;
    return (struct fum_desc){{3, {16, c->in_c, c->out_c}}, storage == FUM_F32 ? FUM_F32 : FUM_F16};
}

bool fum_winograd_choose(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const struct fum_device_info *info = site->info;
    struct fum_conv c = fum_conv_of(site->call);
    bool fits = c.kernel_h == 3 && c.kernel_w == 3 && c.stride == 1 && c.pad == 1 &&
                site->call->attr[FUM_CONV_PAD_END_EXTRA] == 0;
    if (!fits || info->type != FUM_DEVICE_CPU || !fum_texel_chosen(info, site->tuning, FUM_F32))
        return false;
    if (c.in_c < LEAST_CHANNELS || c.out_c < LEAST_CHANNELS || site->share < LEAST_SHARE)
        return false;
    // The larger weight may not fit where the convolution's own does.
    struct fum_op_call packed = *site->call;
    struct fum_dispatches list = {.info = info, .tuning = site->tuning};
    packed.in[FUM_GEMM_W] = weight_of(&c, site->call->in[0].dtype);
    int64_t pixels = c.out_h * c.out_w, tile = tile_of(&packed.in[FUM_GEMM_W]);
    int64_t covered = FUM_DIV_UP(c.out_h, tile) * FUM_DIV_UP(c.out_w, tile) * tile * tile;
    if (c.batches * pixels < LEAST_PIXELS || covered * 2 > pixels * 3) return false;
    uint64_t bytes = fum_desc_bytes(&packed.in[FUM_GEMM_W]);
    if (bytes > info->max_allocation || bytes > info->max_buffer || !dispatch(&packed, &list))
        return false;
    *weight = packed.in[FUM_GEMM_W];
    return true;
}
