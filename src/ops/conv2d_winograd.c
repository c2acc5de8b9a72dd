// SPDX-License-Identifier: MIT
// Computes conv2d of 3x3 taps, stride 1 and padding 1 by Winograd's minimal filtering, after Lavin
// and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016):
//     y = A^T [U (B^T d B)] A with U = G g G^T
// F(4x4, 3x3) needs a quarter of conv2d's multiplications, but two passes over the image and a
// weight four times as large. F(2x2, 3x3) needs 4/9 of the multiplications and a weight 16/9 as
// large. The weight is U itself, [36, in, out] or [16, in, out], in f32 or f16, or in panels of
// outputs, [36, out / 32, in, 32]. It is packed so when the model loads (weights/winograd.c). A
// weight that changes, [3, 3, in, out], is transformed in each call. V = B^T d B, products and sums
// are f32 for every storage type. Other inputs and settings are conv2d's.

#include "base/alloc.h"
#include "base/macros.h"
#include "ops/lib/device_class.h"
#include "ops/lib/emit.h"
#include "ops/lib/texels.h"
#include "ops/lib/winograd.h"
#include "shaders/winograd_input.pc.h"
#include "shaders/winograd_output.pc.h"

enum { MOST_TAPS = 6 };

static struct fum_conv conv_of(const struct fum_op_call *call) {
    const int64_t *x = call->in[0].shape.dim, *y = call->out.shape.dim;
    return (struct fum_conv){.batches = x[0],
                             .in_h = x[1],
                             .in_w = x[2],
                             .in_c = x[3],
                             .out_h = y[1],
                             .out_w = y[2],
                             .out_c = y[3],
                             .kernel_h = 3,
                             .kernel_w = 3,
                             .stride = 1,
                             .pad = 1,
                             .pad_x = 1,
                             .up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1,
                             .w = call->in[FUM_GEMM_W]};
}

// True if the weight is not transformed yet.
static bool transforms(const struct fum_op_call *call) {
    const struct fum_shape *w = &call->in[FUM_GEMM_W].shape;
    return w->rank == 4 && w->dim[0] == 3;
}

// True if U lies in panels of outputs.
static bool in_panels(const struct fum_desc *u) {
    return u->shape.rank == 4;
}

// Returns the side of the output's tiles, by the points of a tile that U has or by the image. 0:
// Winograd has none of so many points.
static int tile_of(const struct fum_op_call *call) {
    const int64_t *x = call->in[FUM_GEMM_X].shape.dim, *w = call->in[FUM_GEMM_W].shape.dim;
    int64_t up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1;
    if (transforms(call)) return (int)fum_winograd_tile(x[0] * x[1] * x[2] * up * up);
    if (w[0] == 36) return 4;
    return w[0] == 16 ? 2 : 0;
}

// Returns U as a tensor.
static struct fum_desc transformed(const struct fum_op_call *call) {
    const struct fum_desc *w = &call->in[FUM_GEMM_W];
    int64_t side = tile_of(call) + 2;
    if (!transforms(call)) return *w;
    return (struct fum_desc){{3, {side * side, w->shape.dim[2], w->shape.dim[3]}}, FUM_F32};
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    bool taps = w->rank == 4 && w->dim[0] == 3 && w->dim[1] == 3 && w->dim[2] == x->dim[3] &&
                call->in[1].dtype == call->in[0].dtype;
    bool panels = w->rank == 4 && !taps && w->dim[3] == FUM_PACK_PANEL;
    bool points = (w->rank == 3 || panels) && (w->dim[0] == 36 || w->dim[0] == 16) &&
                  w->dim[w->rank - 2] == x->dim[3] &&
                  (call->in[1].dtype == FUM_F32 || call->in[1].dtype == FUM_F16);
    if (x->rank != 4 || (!taps && !points))
        return fum_refuse(why, "x must be [batch, height, width, in] and w [36, in, out] or [16, "
                               "in, out], or these in panels, in f32 or f16, or [3, 3, in, out] "
                               "of x's type");
    if (call->attr[FUM_CONV_STRIDE] != 1 || call->attr[FUM_CONV_PAD] != 1 ||
        fum_conv_pad_width(call->attr) != 1 || call->attr[FUM_CONV_PAD_END_EXTRA] != 0)
        return fum_refuse(why, "only stride 1 and padding 1 go by tiles");
    int64_t up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1;
    int64_t outputs = panels ? w->dim[1] * FUM_PACK_PANEL : fum_shape_channels(w);
    call->out.shape = (struct fum_shape){4, {x->dim[0], x->dim[1] * up, x->dim[2] * up, outputs}};
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

// Computes d = m v m^T for a matrix m of `rows` rows and v of `taps` by `taps`.
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

// Computes B^T d B of channel k of the tile of outputs from pixel first[0], first[1] on.
static void input_tile(const struct fum_conv_image *image, int tile, int64_t first[2], int64_t k,
                       double (*v)[MOST_TAPS]) {
    point_grid d = {{0}};
    for (int i = 0; i < tile + 2; i++)
        for (int j = 0; j < tile + 2; j++)
            d[i][j] = fum_conv_pixel(image, first[0] - 1 + i, first[1] - 1 + j, k);
    both_sides(tile == 4 ? BT4 : BT2, tile + 2, tile + 2, d, v);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv c = conv_of(call);
    enum fum_act act = (enum fum_act)call->attr[FUM_CONV_ACT];
    int tile = tile_of(call), taps = tile + 2;
    double *own = transforms(call)
                      ? fum_winograd_transform(&call->in[FUM_GEMM_W].shape, tile, in[FUM_GEMM_W])
                      : NULL;
    const double *u = own ? own : in[FUM_GEMM_W];
    bool panels = !own && in_panels(&call->in[FUM_GEMM_W]);
    int64_t panel = panels ? FUM_PACK_PANEL : c.out_c;
    int64_t tiles_y = FUM_DIV_UP(c.out_h, tile), tiles_x = FUM_DIV_UP(c.out_w, tile);
    point_grid *v = fum_calloc((size_t)c.in_c + 1, sizeof *v), m, y;
    for (int64_t t = 0; v && t < c.batches * tiles_y * tiles_x; t++) {
        int64_t b = t / (tiles_y * tiles_x), ty = t / tiles_x % tiles_y, tx = t % tiles_x;
        int64_t first[2] = {ty * tile, tx * tile};
        struct fum_conv_image image = fum_conv_image_of(call, &c, in, b);
        for (int64_t k = 0; k < c.in_c; k++) input_tile(&image, tile, first, k, v[k]);
        for (int64_t n = 0; n < c.out_c; n++) {
            for (int64_t p = 0; p < taps * taps; p++) {
                double sum = 0;
                for (int64_t k = 0; k < c.in_c; k++)
                    sum += v[k][p / taps][p % taps] *
                           u[p * c.in_c * c.out_c + (n / panel * c.in_c + k) * panel + n % panel];
                m[p / taps][p % taps] = sum;
            }
            both_sides(tile == 4 ? AT4 : AT2, tile, taps, m, y);
            for (int64_t i = 0; i < tile * tile; i++) {
                int64_t oy = ty * tile + i / tile, ox = tx * tile + i % tile,
                        row = (b * c.out_h + oy) * c.out_w + ox;
                if (oy >= c.out_h || ox >= c.out_w) continue;
                out[row * c.out_c + n] = fum_gemm_finish(
                    call, in, (struct fum_gemm_element){row, n, act}, y[i / tile][i % tile]);
            }
        }
    }
    fum_free(v);
    fum_free(own);
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
    struct fum_desc u;
    uint64_t u_bytes; // of U at the start of scratch; 0: it is input 1
};

static uint64_t align(const struct fum_dispatches *list, uint64_t bytes) {
    return FUM_ALIGN_UP(bytes, FUM_MAX(list->info->binding_align, 1));
}

// Adds a dispatch of an invocation per tile and quad of channels, whose workgroups take one tile.
static struct fum_dispatch *emit_tiles(struct fum_dispatches *list, const char *shader,
                                       const struct work *w, int64_t quads) {
    uint32_t lanes = fum_lanes(list->info);
    return fum_emit_groups(list, shader, w->call->out.dtype, lanes,
                           (uint64_t)(w->tiles * FUM_DIV_UP(quads, lanes)));
}

// True if the device reads texels of f32 and of 16 bits: operands may be both.
static bool reads_texels(const struct fum_dispatches *list) {
    return fum_texels_faster(list->info, list->tuning, FUM_F32) &&
           fum_texels_fit(list->info, FUM_F16);
}

// Adds the transform of a weight that is not transformed yet.
static bool add_weight(struct fum_dispatches *list, struct work *w) {
    if (!transforms(w->call)) return true;
    uint64_t bytes = fum_desc_bytes(&w->u);
    if (bytes > list->info->max_binding)
        return fum_refuse_size(&list->why, list->info, "the transformed weight");
    w->u_bytes = align(list, bytes);
    list->scratch_bytes = w->u_bytes;
    return fum_winograd_emit_weight(w->call, w->tile, fum_bind_scratch(0, bytes, true), list);
}

static bool add_input(struct fum_dispatches *list, const struct work *w) {
    const struct fum_op_call *call = w->call;
    const struct fum_conv *c = w->conv;
    bool norm = call->has[FUM_CONV_NORM];
    int64_t quads = FUM_DIV_UP(c->in_c, 4), first_y = w->part.first * w->tile, first_line;
    struct fum_dispatch *d = emit_tiles(list, "winograd_input", w, quads);
    if (!d) return false;
    if (reads_texels(list)) fum_read_texels(list, d, 11 | 10u << FUM_TEXELS_F32);
    FUM_EMIT_SPECS(d, norm, norm ? (uint32_t)call->attr[FUM_CONV_NORM_ACT] : FUM_ACT_NONE,
                   (uint32_t)w->tile);
    const struct fum_part lines = {w->part.batch, w->part.batches, first_y, w->out_rows};
    const struct fum_rows x = fum_conv_x_rows(call, c, &lines, &first_line),
                          factors = {&call->in[FUM_CONV_NORM], 2 * w->part.batch,
                                     2 * w->part.batches};
    struct fum_winograd_input_push push = {
        .k_quads = (uint32_t)quads,
        .tiles = (uint32_t)w->tiles,
        .tiles_x = (uint32_t)w->tiles_x,
        .tile_rows = (uint32_t)w->part.count,
        .first_y = (uint32_t)first_y,
        .in_h = (uint32_t)c->in_h,
        .in_w = (uint32_t)c->in_w,
        .upsample = c->up == 2,
        .first_in_y = (uint32_t)first_line,
    };
    push.x_skip = fum_emit_rows(list, d, FUM_GEMM_X, x);
    if (norm)
        push.norm_skip = fum_emit_rows(list, d, FUM_CONV_NORM, factors);
    else
        fum_emit_bind(d, d->bind[0]);
    fum_emit_bind(d, fum_bind_scratch(w->u_bytes, w->v_bytes, true));
    if (d->texels) fum_emit_again(d);
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Returns bytes [at, at + bytes) of scratch as a window on the device's alignment; *skip: quads
// before them.
static struct fum_dispatch_bind scratch_window(const struct fum_dispatches *list, bool write,
                                               uint64_t at, uint64_t bytes, uint32_t *skip) {
    uint64_t offset = at - at % FUM_MAX(list->info->binding_align, 1);
    *skip = (uint32_t)((at - offset) / 16);
    return fum_bind_scratch(offset, at - offset + bytes, write);
}

// Adds the products of all points, as many at once as a binding of U holds.
static bool add_products(struct fum_dispatches *list, const struct work *w) {
    const struct fum_conv *c = w->conv;
    const struct fum_desc *u = &w->u;
    struct fum_gemm_kernels kernels =
        reads_texels(list) ? *fum_gemm_kernels_for(list, FUM_F32) : fum_gemm_plain;
    if (u->dtype == FUM_F16) {
        if (kernels.texels)
            kernels.texels |= 1u << (FUM_TEXELS_F16 + FUM_GEMM_W);
        else
            kernels.matmul = "matmul_half";
    }
    int64_t u_rows = fum_shape_rows(&u->shape) / w->points; // of a point
    int64_t each = FUM_MIN(w->points, fum_rows_per_binding(list->info, u) / FUM_MAX(u_rows, 1));
    uint64_t v_each = w->v_bytes / (uint64_t)w->points, m_each = w->m_bytes / (uint64_t)w->points;
    uint64_t m_first = w->u_bytes + align(list, w->v_bytes);
    if (each < 1) return fum_refuse_size(&list->why, list->info, "one point of the weight");
    for (int64_t p = 0; p < w->points; p += each) {
        uint64_t from = (uint64_t)p, count = (uint64_t)FUM_MIN(each, w->points - p);
        const struct fum_rows rows = {u, p * u_rows, (int64_t)count * u_rows};
        struct fum_gemm_product product = {.kernels = &kernels,
                                           .batches = (int64_t)count,
                                           .rows = w->tiles,
                                           .k = c->in_c,
                                           .n = c->out_c,
                                           .panels = in_panels(u),
                                           .scale = 1};
        product.x = scratch_window(list, false, w->u_bytes + from * v_each, count * v_each,
                                   &product.x_skip);
        product.w =
            fum_bind_rows(list, w->u_bytes ? FUM_SCRATCH : FUM_GEMM_W, rows, &product.w_skip);
        product.y =
            scratch_window(list, true, m_first + from * m_each, count * m_each, &product.y_skip);
        if (!fum_gemm_emit_product(list, &product)) return false;
    }
    return true;
}

static bool add_output(struct fum_dispatches *list, const struct work *w) {
    const struct fum_op_call *call = w->call;
    const struct fum_conv *c = w->conv;
    bool texels = reads_texels(list);
    int64_t quads = FUM_DIV_UP(c->out_c, 4);
    struct fum_dispatch *d =
        emit_tiles(list, texels ? "winograd_output_texel" : "winograd_output", w, quads);
    if (!d) return false;
    d->texels = texels ? 47 | 1u << FUM_TEXELS_F32 : 0;
    FUM_EMIT_SPECS(d, (uint32_t)call->attr[FUM_CONV_ACT], fum_gemm_epilogue_of(call),
                   (uint32_t)w->tile);
    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    const struct fum_rows out = {&call->out,
                                 (w->part.batch * c->out_h + w->part.first * w->tile) * c->out_w,
                                 w->part.batches * w->out_rows * c->out_w};
    struct fum_winograd_output_push push = {
        .n_quads = (uint32_t)quads,
        .tiles = (uint32_t)w->tiles,
        .tiles_x = (uint32_t)w->tiles_x,
        .tile_rows = (uint32_t)w->part.count,
        .out_h = (uint32_t)w->out_rows,
        .out_w = (uint32_t)c->out_w,
        .row_begin = own_row ? (uint32_t)w->part.batch : 0,
        .row_step = own_row,
    };
    struct fum_dispatch_bind bind[FUM_GEMM_RESIDUAL + 1];
    bind[0] = fum_bind_scratch(w->u_bytes + align(list, w->v_bytes), w->m_bytes, false);
    push.residual_skip = fum_gemm_bind_epilogue(list, call, out.first, out.count, bind);
    fum_emit_bind(d, bind[0]);
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++) fum_emit_bind(d, bind[i]);
    push.y_skip = fum_emit_rows(list, d, FUM_OUT, out);
    if (texels) fum_emit_again(d);
    FUM_EMIT_PUSH(d, push);
    return true;
}

// V and m of a part: a step of SD1.5 at 512x512 stays within 400 barriers. Less, which the cache
// would hold, is no faster.
enum { SCRATCH_BYTES = 68 << 20, MOST_PARTS = 16 };

// Returns how many of the call's `all` tiles a part has at most. Scratch holds SCRATCH_BYTES, or
// more where the call would have over MOST_PARTS parts. An allocation and a binding limit it, too.
static int64_t most_tiles(const struct fum_device_info *info, int64_t all, uint64_t v_row,
                          uint64_t m_row) {
    uint64_t piece = FUM_MIN(info->max_allocation, info->max_buffer);
    int64_t most = (int64_t)(SCRATCH_BYTES / (v_row + m_row));
    most = FUM_MAX(most, all / MOST_PARTS);
    if (piece) most = FUM_MIN(most, (int64_t)((piece - FUM_MIN(piece, 256)) / (v_row + m_row)));
    return FUM_MIN(most, (int64_t)(info->max_binding / FUM_MAX(v_row, m_row)));
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    struct fum_conv c = conv_of(call);
    if (fum_shape_count(&call->out.shape) == 0) return true;
    int64_t tile = tile_of(call), points = (tile + 2) * (tile + 2);
    struct work w = {.call = call,
                     .conv = &c,
                     .tile = tile,
                     .points = points,
                     .tiles_x = FUM_DIV_UP(c.out_w, tile),
                     .u = transformed(call)};
    if (!add_weight(list, &w)) return false;
    int64_t tile_rows = FUM_DIV_UP(c.out_h, tile), image = c.in_h * c.in_w;
    uint64_t v_row = (uint64_t)(FUM_DIV_UP(c.in_c, 4) * points) * 16,
             m_row = (uint64_t)(FUM_DIV_UP(c.out_c, 4) * points) * 16;
    int64_t most = most_tiles(info, c.batches * tile_rows * w.tiles_x, v_row, m_row);
    int64_t fit =
        FUM_MIN(most / w.tiles_x, (fum_conv_rows_that_fit(call, &c, info) - tile + 1) / tile);
    if (fit < 1) return fum_refuse_size(&list->why, info, "one row of tiles");
    int64_t images = image ? fum_rows_per_binding(info, &call->in[0]) / image : 0;
    const struct fum_cut cut = {FUM_MIN(fit / tile_rows, images), fit};
    while (fum_part_next(&w.part, c.batches, tile_rows, cut)) {
        w.tiles = w.part.batches * w.part.count * w.tiles_x;
        w.out_rows = FUM_MIN(w.part.count * tile, c.out_h - w.part.first * tile);
        w.v_bytes = (uint64_t)w.tiles * v_row;
        w.m_bytes = (uint64_t)w.tiles * m_row;
        list->scratch_bytes =
            FUM_MAX(list->scratch_bytes, w.u_bytes + align(list, w.v_bytes) + w.m_bytes);
        if (!add_input(list, &w) || !add_products(list, &w) || !add_output(list, &w)) return false;
    }
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 2.0 * (double)fum_shape_count(&call->out.shape) * 9.0 * (double)call->in[0].shape.dim[3];
}

// True for every call: the input transform reads each pixel only 2.25 or 4 times.
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
