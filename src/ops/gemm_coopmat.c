// Matrix products and convolutions by cooperative matrices: tiles, and the dispatches of shaders/matmul_coopmat.comp and
// conv2d_coopmat.comp.
#include "ops/coopmat.h"

#include <string.h>

// A workgroup's tile: fragments (the device's matrices) of a subgroup, and subgroups.
struct tile {
    uint32_t fragments_m, fragments_n, groups_m, groups_n;
    double speed; // of its multiplications, against the largest
};

// Of 128 x 128 outputs down to 32 x 32 where matrices are 16 x 16. Wide subgroups (64) get half as many.
static const struct tile narrow_tiles[] = {{4, 2, 2, 4, 1}, {4, 2, 2, 2, 0.85}, {2, 2, 2, 2, 0.7}, {1, 2, 2, 2, 0.5},
                                           {1, 1, 2, 2, 0.35}};
static const struct tile wide_tiles[] = {{4, 4, 2, 2, 1}, {4, 2, 2, 2, 0.85}, {2, 2, 2, 2, 0.7}, {1, 2, 2, 2, 0.5},
                                         {1, 1, 2, 2, 0.35}};
enum { TILES = sizeof narrow_tiles / sizeof *narrow_tiles };

// What follows from a tile on a device.
struct plan {
    struct tile tile;
    const struct fum_matrix_shape *shape;
    uint32_t subgroup, threads, tile_m, tile_n, tile_k, shared; // shared: units of 16 bytes
};

static struct plan plan_of(const struct fum_device_info *info, const struct fum_matrix_shape *shape,
                           const struct tile *tile, bool transposed) {
    struct plan p = {.tile = *tile, .shape = shape, .subgroup = info->matrix_subgroup};
    uint32_t groups = tile->groups_m * tile->groups_n;
    p.threads = groups * p.subgroup;
    p.tile_m = tile->groups_m * tile->fragments_m * shape->m;
    p.tile_n = tile->groups_n * tile->fragments_n * shape->n;
    p.tile_k = shape->k < 32 ? 32 / shape->k * shape->k : shape->k;
    // As lib/coopmat.glsl lays it out: two of each tile, later the sums on their way out.
    uint32_t x = p.tile_m * (p.tile_k / 8 + 1);
    uint32_t w = transposed ? p.tile_n * (p.tile_k / 8 + 1) : p.tile_k * (p.tile_n / 8 + 1);
    uint32_t out = groups * shape->m * (tile->fragments_n * shape->n / 4 + 1);
    p.shared = 2 * (x + w) > out ? 2 * (x + w) : out;
    return p;
}

static bool fits(const struct fum_device_info *info, const struct plan *p) {
    return p->shared * 16 <= info->shared_bytes && p->threads <= info->max_group_invocations &&
           p->threads <= info->max_group_size[0];
}

// Workgroups that a device runs at once, roughly: nothing in Vulkan says.
static double cores(const struct fum_device_info *info) {
    return info->type == FUM_DEVICE_CPU ? 4 : info->type == FUM_DEVICE_DISCRETE ? 96 : 16;
}

// The tile that ends first: rounds of workgroups times what one takes. False when none fits the device.
static bool choose_tile(const struct fum_device_info *info, const struct fum_matrix_shape *shape, int64_t batches,
                        int64_t rows, int64_t n, bool transposed, struct plan *best) {
    const struct tile *tiles = info->matrix_subgroup > 32 ? wide_tiles : narrow_tiles;
    double least = 0;
    for (int i = 0; i < TILES; i++) {
        struct plan p = plan_of(info, shape, &tiles[i], transposed);
        if (!fits(info, &p)) continue;
        double count = (double)batches * (double)((rows + p.tile_m - 1) / p.tile_m) *
                       (double)((n + p.tile_n - 1) / p.tile_n);
        double rounds = count < cores(info) ? 1 : count / cores(info);
        double cost = rounds * (double)p.tile_m * (double)p.tile_n / tiles[i].speed;
        if (least == 0 || cost < least) {
            least = cost;
            *best = p;
        }
    }
    return least > 0;
}

// Shader, specialisation constants 0..16 and the first push constants. Returns the tiles along n and sets *tiles_m, both
// 0 when no tile fits.
static int64_t begin(const struct fum_device_info *info, const struct fum_op_call *call, struct fum_dispatch *d,
                     const char *shader, int64_t batches, int64_t rows, int64_t k, int64_t n, bool transposed,
                     enum fum_act act, int64_t *tiles_m) {
    const struct fum_matrix_shape *shape = fum_coopmat_shape(info, call->out.dtype);
    struct plan p;
    *tiles_m = 0;
    if (!choose_tile(info, shape, batches, rows, n, transposed, &p)) return 0;
    uint32_t kq = (uint32_t)((k + 3) / 4), nq = (uint32_t)((n + 3) / 4);
    // Rows of an even number of quads start on 16 bytes, whatever window of them is bound.
    uint32_t wide = (kq % 2 == 0 ? 1u : 0u) | ((transposed ? kq : nq) % 2 == 0 ? 2u : 0u);
    const uint32_t spec[] = {p.threads, 1, 1, shape->m, shape->n, shape->k, p.tile.fragments_m, p.tile.fragments_n,
                             p.tile.groups_m, p.tile.groups_n, p.tile_k, p.threads, p.shared, (uint32_t)act, transposed,
                             k % p.tile_k != 0, wide};
    uint32_t epilogue = (call->has[FUM_GEMM_BIAS] ? 1u : 0u) | (call->has[FUM_GEMM_ROW] ? 2u : 0u) |
                        (call->has[FUM_GEMM_RESIDUAL] ? 4u : 0u);
    int64_t tiles_n = (n + p.tile_n - 1) / p.tile_n;
    const uint32_t push[] = {(uint32_t)k, (uint32_t)n, kq, nq, (uint32_t)tiles_n, epilogue};
    *d = (struct fum_dispatch){.shader = shader, .dtype = call->out.dtype, .subgroup = p.subgroup};
    memcpy(d->spec, spec, sizeof spec);
    d->num_spec = sizeof spec / sizeof *spec;
    memcpy(d->push, push, sizeof push);
    d->num_push = sizeof push / sizeof *push;
    *tiles_m = (rows + p.tile_m - 1) / p.tile_m;
    return tiles_n;
}

static void push_all(struct fum_dispatch *d, const uint32_t *push, size_t bytes) {
    memcpy(d->push + d->num_push, push, bytes);
    d->num_push += (int)(bytes / sizeof *push);
}

// ---- products ----

static bool add_product(const struct fum_op_call *call, const struct fum_gemm *g, const struct fum_part *part,
                        bool window_w, struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d) return false;
    int64_t tiles_m, tiles_n = begin(list->info, call, d, "matmul_coopmat", part->batches, part->count, g->k, g->n,
                                     g->transposed, g->act, &tiles_m);
    if (!tiles_n) return false;
    d->num_bind = 6;
    int64_t first = part->batch * g->rows + part->first, count = part->batches * part->count;
    int64_t w_rows = g->transposed ? g->n : g->k;
    uint32_t x_skip = 0, w_skip = 0, y_skip = 0, residual_skip;
    fum_bind_rows(list, d, 5, FUM_OUT, true, &call->out, first, count, &y_skip);
    if (g->k == 0) { // nothing to read: x and w have no bytes
        d->bind[0] = d->bind[5];
        d->bind[0].write = false;
        d->bind[1] = d->bind[0];
    } else {
        fum_bind_rows(list, d, 0, FUM_GEMM_X, false, &call->in[0], first, count, &x_skip);
        fum_bind_rows(list, d, 1, FUM_GEMM_W, false, &call->in[1], window_w ? part->batch * w_rows : 0,
                      (window_w ? part->batches : g->w_batches) * w_rows, &w_skip);
    }
    fum_gemm_bind_epilogue(list, call, d, first, count, &residual_skip);
    int64_t shared = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1 ? g->row_rows : 0;
    float scale = (float)g->scale;
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    const uint32_t push[] = {(uint32_t)part->count, (uint32_t)part->batches, (uint32_t)tiles_m, x_skip, w_skip, y_skip,
                             residual_skip, (uint32_t)g->w_div, (uint32_t)g->w_mod,
                             (uint32_t)(shared ? first / shared : 0), (uint32_t)(shared ? first % shared : 0),
                             (uint32_t)fum_min_i64(shared, UINT32_MAX), bits};
    push_all(d, push, sizeof push);
    return fum_groups_1d(list->info, (uint64_t)(tiles_m * tiles_n * part->batches), d->groups);
}

// Rows of x, output and residual that fit a binding each.
static int64_t fitting_rows(const struct fum_op_call *call, const struct fum_device_info *info) {
    int64_t fit = fum_min_i64(fum_rows_per_binding(info, &call->out), fum_rows_per_binding(info, &call->in[FUM_GEMM_X]));
    if (call->has[FUM_GEMM_RESIDUAL])
        fit = fum_min_i64(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_RESIDUAL]));
    return fum_min_i64(fit, INT32_MAX / 2);
}

bool fum_coopmat_matmul(const struct fum_op_call *call, const struct fum_gemm *g, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    int64_t fit = fitting_rows(call, info), w_rows = g->transposed ? g->n : g->k;
    int64_t w_fit = fum_rows_per_binding(info, &call->in[FUM_GEMM_W]);
    int64_t w_whole = w_rows ? w_fit / w_rows : INT64_MAX; // batches of w that fit a binding
    bool own_w = g->w_batches > 1 && g->w_batches == g->batches;
    if (fit < 1 || (own_w ? w_whole < 1 : w_whole < g->w_batches)) return false;
    int64_t whole = g->rows ? fit / g->rows : 0;
    if (own_w) whole = fum_min_i64(whole, w_whole);
    if (g->w_batches > 1 && !own_w && whole < g->batches) return false;
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->rows, whole, fit))
        if (!add_product(call, g, &part, own_w, list)) return false;
    return true;
}

// ---- convolutions ----

// Input rows that output rows [first, first + count) touch, at least one.
static int64_t input_rows(const struct fum_conv *c, int64_t first, int64_t count, int64_t *begin) {
    int64_t low = first * c->stride - c->pad, high = (first + count - 1) * c->stride - c->pad + c->kernel_h - 1;
    low = low < 0 ? 0 : fum_min_i64(low / c->up, c->in_h - 1);
    high = high < 0 ? 0 : fum_min_i64(high / c->up, c->in_h - 1);
    *begin = low;
    return high - low + 1;
}

static bool add_conv(const struct fum_op_call *call, const struct fum_conv *c, const struct fum_part *part,
                     struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d) return false;
    int64_t pixels = part->count * c->out_w, total = pixels * part->batches, tiles_m;
    int64_t tiles_n = begin(list->info, call, d, "conv2d_coopmat", 1, total, c->in_c, c->out_c, false,
                            (enum fum_act)call->attr[FUM_CONV_ACT], &tiles_m);
    if (!tiles_n) return false;
    d->num_bind = 7;
    d->spec[d->num_spec++] = 0;
    d->spec[d->num_spec++] = 0;

    // Several whole images bind whole images; rows of one bind the input rows they touch.
    int64_t in_first = 0, in_rows = part->count < c->out_h ? input_rows(c, part->first, part->count, &in_first) : c->in_h;
    int64_t x_first = (part->batch * c->in_h + in_first) * c->in_w;
    int64_t x_count = ((part->batches - 1) * c->in_h + in_rows) * c->in_w;
    int64_t y_first = (part->batch * c->out_h + part->first) * c->out_w;
    uint32_t x_skip = 0, w_skip, y_skip, residual_skip, norm_skip = 0;
    fum_bind_rows(list, d, 5, FUM_OUT, true, &call->out, y_first, total, &y_skip);
    d->bind[0] = d->bind[1] = d->bind[5]; // where there are no input channels or pixels, nothing is read
    d->bind[0].write = d->bind[1].write = false;
    if (c->in_c && x_count) fum_bind_rows(list, d, 0, FUM_GEMM_X, false, &call->in[0], x_first, x_count, &x_skip);
    if (c->in_c)
        fum_bind_rows(list, d, 1, FUM_GEMM_W, false, &call->in[1], 0, c->kernel_h * c->kernel_w * c->in_c, &w_skip);
    fum_gemm_bind_epilogue(list, call, d, y_first, total, &residual_skip);
    d->bind[6] = d->bind[0];

    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    const uint32_t push[] = {(uint32_t)c->kernel_h, (uint32_t)c->kernel_w, (uint32_t)c->stride, (uint32_t)c->pad,
                             c->up == 2, (uint32_t)c->in_h, (uint32_t)c->in_w, (uint32_t)c->out_w, (uint32_t)pixels,
                             (uint32_t)part->batches, (uint32_t)tiles_m, (uint32_t)part->first, (uint32_t)in_first,
                             x_skip, y_skip, residual_skip, own_row ? (uint32_t)part->batch : 0, own_row, norm_skip};
    push_all(d, push, sizeof push);
    return fum_groups_1d(list->info, (uint64_t)(tiles_m * tiles_n), d->groups);
}

// Most output rows of one image whose windows of x, output and residual fit a binding each.
static int64_t fitting_image_rows(const struct fum_op_call *call, const struct fum_conv *c,
                                  const struct fum_device_info *info) {
    int64_t fit = fum_rows_per_binding(info, &call->out);
    if (call->has[FUM_GEMM_RESIDUAL])
        fit = fum_min_i64(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_RESIDUAL]));
    fit = fum_min_i64(fit, INT32_MAX / 2) / c->out_w;
    int64_t in_fit = c->in_w ? fum_rows_per_binding(info, &call->in[0]) / c->in_w : INT64_MAX;
    if (in_fit >= c->in_h) return fit;
    // n output rows touch at most ((n - 1) stride + kernel - 1) / up + 2 input rows.
    int64_t doubled = (in_fit - 2) * c->up - c->kernel_h + 1;
    return doubled < 0 ? 0 : fum_min_i64(fit, doubled / c->stride + 1);
}

bool fum_coopmat_conv2d(const struct fum_op_call *call, const struct fum_conv *c, struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    int64_t fit = fitting_image_rows(call, c, info);
    if (fit < 1 || fum_desc_bytes(&call->in[1]) > info->max_binding) return false;
    int64_t in_image = c->in_h * c->in_w, whole = fit / c->out_h;
    if (in_image) whole = fum_min_i64(whole, fum_rows_per_binding(info, &call->in[0]) / in_image);
    struct fum_part part = {0};
    while (fum_part_next(&part, c->batches, c->out_h, whole, fit))
        if (!add_conv(call, c, &part, list)) return false;
    return true;
}
