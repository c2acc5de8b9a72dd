// SPDX-License-Identifier: MIT
#include "ops/lib/gemm.h"

#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/matmul.pc.h"

// ---- the epilogue ----

const struct fum_epilogue fum_gemm_epilogue = {
    .row_input = FUM_GEMM_ROW, .residual_input = FUM_GEMM_RESIDUAL, .act_attr = "act"};

bool fum_gemm_infer_weight(const struct fum_op_call *call, bool transposed, struct fum_why *why) {
    const struct fum_packing *packing = call->quantised[FUM_GEMM_W];
    if (!packing) return true;
    if (transposed) return fum_refuse(why, "a weight of type %s is not transposed", packing->name);
    if (fum_quantised_fits(packing, &call->in[FUM_GEMM_W].shape)) return true;
    return fum_refuse(why, "a weight of type %s has a multiple of %d inputs and at most %d taps",
                      packing->name, packing->block->terms, packing->block->max_taps);
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

double fum_gemm_finish(const struct fum_op_call *call, const double *const *in,
                       struct fum_gemm_element e, double sum) {
    int64_t n = fum_shape_channels(&call->out.shape);
    if (call->has[FUM_GEMM_BIAS]) sum += in[FUM_GEMM_BIAS][e.channel];
    if (call->has[FUM_GEMM_ROW]) {
        int64_t rows = fum_shape_rows(&call->in[FUM_GEMM_ROW].shape);
        sum += in[FUM_GEMM_ROW][e.row * rows / fum_shape_rows(&call->out.shape) * n + e.channel];
    }
    sum = fum_act_reference(e.act, sum);
    if (call->has[FUM_GEMM_RESIDUAL]) sum += in[FUM_GEMM_RESIDUAL][e.row * n + e.channel];
    return sum;
}

uint32_t fum_gemm_epilogue_of(const struct fum_op_call *call) {
    uint32_t bits = 0;
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        if (call->has[i]) bits |= 1u << (i - FUM_GEMM_BIAS);
    return bits;
}

uint32_t fum_gemm_bind_epilogue(const struct fum_dispatches *list, const struct fum_op_call *call,
                                int64_t first, int64_t count, struct fum_dispatch_bind *bind) {
    uint32_t skip = 0;
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        bind[i] = call->has[i] ? (struct fum_dispatch_bind){.operand = i} : bind[0];
    if (call->has[FUM_GEMM_RESIDUAL]) {
        const struct fum_rows rows = {&call->in[FUM_GEMM_RESIDUAL], first, count};
        bind[FUM_GEMM_RESIDUAL] = fum_bind_rows(list, FUM_GEMM_RESIDUAL, rows, &skip);
    }
    return skip;
}

struct fum_gemm_added fum_gemm_added_rows(const struct fum_op_call *call, const struct fum_gemm *g,
                                          int64_t first) {
    bool own = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    if (!own || !g->row_share) return (struct fum_gemm_added){0};
    return (struct fum_gemm_added){.begin = (uint32_t)(first / g->row_share),
                                   .phase = (uint32_t)(first % g->row_share),
                                   .share = (uint32_t)FUM_MIN(g->row_share, UINT32_MAX)};
}

// ---- parts ----

int64_t fum_gemm_rows_that_fit(const struct fum_op_call *call, const struct fum_device_info *info) {
    int64_t fit = fum_rows_per_binding(info, &call->out);
    fit = FUM_MIN(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_X]));
    if (call->has[FUM_GEMM_RESIDUAL])
        fit = FUM_MIN(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_RESIDUAL]));
    return FUM_MIN(fit, INT32_MAX / 2);
}

int64_t fum_gemm_weight_rows(const struct fum_gemm *g) {
    if (g->quantised) return g->k / g->quantised->block->terms * g->quantised->block->rows;
    if (g->panels) return g->n / FUM_PACK_PANEL * g->k;
    return g->transposed ? g->n : g->k;
}

bool fum_gemm_cut(const struct fum_op_call *call, const struct fum_gemm *g,
                  const struct fum_device_info *info, struct fum_gemm_cut *cut,
                  struct fum_why *why) {
    int64_t fit = fum_gemm_rows_that_fit(call, info);
    if (fit < 1) return fum_refuse_size(why, info, "one row");
    int64_t w_rows = fum_gemm_weight_rows(g), w_fit = fum_rows_per_binding(info, &g->w);
    int64_t w_whole = w_rows ? w_fit / w_rows : INT64_MAX; // batches of w that fit one binding
    cut->own_w = g->w_batches > 1 && g->w_batches == g->batches;
    if (w_whole < (cut->own_w ? 1 : g->w_batches)) return fum_refuse_size(why, info, "the weight");
    cut->part = (struct fum_cut){g->rows ? fit / g->rows : 0, fit};
    if (cut->own_w) cut->part.whole = FUM_MIN(cut->part.whole, w_whole);
    if (g->w_batches > 1 && !cut->own_w && cut->part.whole < g->batches)
        return fum_refuse(
            why, "x with a weight broadcast over one of two batch dimensions must fit one binding");
    return true;
}

struct fum_rows fum_gemm_w_rows(const struct fum_gemm *g, const struct fum_part *part, bool own_w) {
    int64_t rows = fum_gemm_weight_rows(g);
    return (struct fum_rows){&g->w, own_w ? part->batch * rows : 0,
                             (own_w ? part->batches : g->w_batches) * rows};
}

struct fum_rows fum_gemm_x_rows(const struct fum_op_call *call, const struct fum_gemm *g,
                                const struct fum_part *part) {
    int64_t first = part->batch * g->rows + part->first, count = part->batches * part->count;
    return (struct fum_rows){&call->in[FUM_GEMM_X], g->x_shared ? part->first : first,
                             g->x_shared ? part->count : count};
}

// ---- dispatches ----

struct fum_dispatch *fum_gemm_emit(struct fum_dispatches *list, const struct fum_gemm_shape *s,
                                   struct fum_gemm_grid *grid) {
    int64_t quads = FUM_DIV_UP(s->n, 4);
    struct fum_gemm_tile t = s->kernels->choose(list->info, s->rows, s->taps * s->k, quads,
                                                4 * fum_dtype_size(s->dtype));
    bool small = s->kernels->texels && t.any_epilogue; // half of the lanes hold the gates
    if (s->gated && t.cols < 2 && !small) t.cols = 2;
    // A kernel of its own, with its end unrolled, takes less time for many outputs.
    enum { MANY_QUADS = 48000 };
    if (s->kernels->texels && s->batches * s->rows * quads > MANY_QUADS) t.any_epilogue = false;
    t.lanes = t.lanes / t.lanes_n * t.lanes_n;
    int64_t tile_rows = (int64_t)t.rows * (t.lanes / t.lanes_n),
            tile_quads = (int64_t)t.cols * t.lanes_n;
    *grid = (struct fum_gemm_grid){FUM_DIV_UP(s->rows, tile_rows), FUM_DIV_UP(quads, tile_quads)};
    uint64_t groups = (uint64_t)(grid->tiles_m * grid->tiles_n * s->batches);
    const char *shader = fum_emit_shader(list, s->shader, s->quantised, s->dtype);
    struct fum_dispatch *d =
        shader ? fum_emit_groups(list, shader, s->dtype, t.lanes, groups) : NULL;
    if (!d) return NULL;
    d->texels = s->kernels->texels;
    // Texels of quantised weights are read as f32's, whatever their bits mean.
    if (d->texels && s->quantised) d->texels |= 1u << (FUM_TEXELS_F32 + FUM_GEMM_W);
    FUM_EMIT_SPECS(d, t.rows, t.cols, t.lanes_n, s->act, t.any_epilogue ? 8 : s->epilogue,
                   s->k % 4 != 0);
    return d;
}

// A product that is cut into parts.
struct job {
    const struct fum_gemm_kernels *kernels;
    const struct fum_op_call *call;
    const struct fum_gemm *gemm;
    struct fum_dispatches *list;
    bool own_w;
};

// Binds x, w, the epilogue's operands and the output of a part, and sets what is skipped of each.
static void bind_part(const struct job *job, struct fum_dispatch *d, const struct fum_part *part,
                      struct fum_matmul_push *push) {
    const struct fum_gemm *g = job->gemm;
    const struct fum_op_call *call = job->call;
    int64_t first = part->batch * g->rows + part->first, count = part->batches * part->count;
    const struct fum_rows out = {&call->out, first, count}, x = fum_gemm_x_rows(call, g, part);
    d->bind[5] = fum_bind_rows(job->list, FUM_OUT, out, &push->y_skip);
    d->num_bind = 6;
    if (g->k == 0) { // x and w have no bytes to bind: the kernel reads nothing of them
        d->bind[0] = d->bind[5];
        d->bind[0].write = false;
        d->bind[1] = d->bind[0];
    } else if (g->packed_bytes) { // the kernel finds a row's factors from where its integers are
        d->bind[0] = fum_bind_scratch(0, g->packed_bytes, false);
        d->bind[6] = fum_bind_scratch(g->packed_bytes, g->factor_bytes, false);
        d->num_bind = 7;
        push->x_skip = (uint32_t)(x.first * g->k / 16);
    } else {
        d->bind[0] = fum_bind_rows(job->list, FUM_GEMM_X, x, &push->x_skip);
    }
    if (g->k)
        d->bind[1] = fum_bind_rows(job->list, FUM_GEMM_W, fum_gemm_w_rows(g, part, job->own_w),
                                   &push->w_skip);
    push->residual_skip = fum_gemm_bind_epilogue(job->list, call, first, count, d->bind);
    if (d->texels) d->texels |= 1u << fum_emit_again(d);
}

// Compares sizes with what was measured on CPU drivers. Rows of the kernels' blocks lie apart, each
// on another page, and the processor fetches none of them ahead. Panels take 13 % less time for 512
// rows by 640 terms of 640 columns on a Zen 3, and 20 % for 2560 terms. 320 by 320 terms are equal.
bool fum_gemm_panels_pay(const struct fum_lowering_site *site, int64_t terms, int64_t columns) {
    enum { LEAST_ELEMENTS = 1 << 17 };
    return !site->trains && columns % FUM_PACK_PANEL == 0 && terms * columns >= LEAST_ELEMENTS &&
           fum_texels_faster(site->info, site->tuning, site->call->out.dtype);
}

uint32_t fum_gemm_panel_quads(bool panels, int64_t n) {
    return panels ? FUM_PACK_PANEL / 4 : (uint32_t)FUM_DIV_UP(n, 4);
}

// Returns how many tiles of rows a block of w meets before the next block does. A few on CPU
// drivers, where many rows of x would leave the second-level cache before they are read again.
// 2048 rows by 320 terms of 2560 columns take 0.87 of their time so on a Zen 3.
static uint32_t strip_of(const struct fum_gemm_kernels *kernels, int64_t tiles_m) {
    enum { STRIP = 4, MANY = 16 };
    return kernels->texels && tiles_m >= MANY ? STRIP : (uint32_t)tiles_m;
}

static bool add_part(const struct job *job, const struct fum_part *part) {
    const struct fum_gemm *g = job->gemm;
    const struct fum_op_call *call = job->call;
    const struct fum_gemm_shape shape = {
        .kernels = job->kernels,
        .shader = job->kernels->matmul,
        .quantised = g->quantised,
        .dtype = call->out.dtype,
        .batches = part->batches,
        .rows = part->count,
        .taps = 1,
        .k = g->k,
        .n = g->n,
        .act = g->act,
        .epilogue = fum_gemm_epilogue_of(call),
        .gated = g->gate != FUM_ACT_NONE,
    };
    struct fum_gemm_grid grid;
    struct fum_dispatch *d = fum_gemm_emit(job->list, &shape, &grid);
    if (!d) return false;
    FUM_EMIT_SPECS(d, g->transposed, g->gate);
    struct fum_gemm_added added = fum_gemm_added_rows(call, g, part->batch * g->rows + part->first);
    struct fum_matmul_push push = {
        .k_size = (uint32_t)g->k,
        .n_size = (uint32_t)g->n,
        .k_quads = (uint32_t)FUM_DIV_UP(g->k, 4),
        .n_quads = (uint32_t)FUM_DIV_UP(g->n, 4),
        .tiles_n = (uint32_t)grid.tiles_n,
        .epilogue = shape.epilogue,
        .rows = (uint32_t)part->count,
        .batches = (uint32_t)part->batches,
        .tiles_m = (uint32_t)grid.tiles_m,
        .w_share = g->x_shared ? 0 : (uint32_t)g->w_share,
        .w_batches = (uint32_t)g->w_batches,
        .row_begin = added.begin,
        .row_phase = added.phase,
        .row_share = added.share,
        .scale = (float)g->scale,
        .strip = strip_of(shape.kernels, grid.tiles_m),
        .panel_quads = fum_gemm_panel_quads(g->panels, g->n),
    };
    bind_part(job, d, part, &push);
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_gemm_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_gemm *g, struct fum_dispatches *list) {
    struct fum_gemm_cut cut;
    if (!fum_gemm_cut(call, g, list->info, &cut, &list->why)) return false;
    const struct job job = {kernels, call, g, list, cut.own_w};
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, g->rows, cut.part))
        if (!add_part(&job, &part)) return false;
    return true;
}

bool fum_gemm_emit_product(struct fum_dispatches *list, const struct fum_gemm_product *p) {
    const struct fum_gemm_shape shape = {.kernels = p->kernels,
                                         .shader = p->kernels->matmul,
                                         .dtype = FUM_F32,
                                         .batches = p->batches,
                                         .rows = p->rows,
                                         .taps = 1,
                                         .k = p->k,
                                         .n = p->n};
    struct fum_gemm_grid grid;
    struct fum_dispatch *d = fum_gemm_emit(list, &shape, &grid);
    if (!d) return false;
    fum_emit_spec(d, p->transposed);
    fum_emit_bind(d, p->x);
    fum_emit_bind(d, p->w);
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++) fum_emit_bind(d, p->x);
    fum_emit_bind(d, p->y);
    if (d->texels) d->texels |= 1u << fum_emit_again(d);
    const struct fum_matmul_push push = {
        .k_size = (uint32_t)p->k,
        .n_size = (uint32_t)p->n,
        .k_quads = (uint32_t)FUM_DIV_UP(p->k, 4),
        .n_quads = (uint32_t)FUM_DIV_UP(p->n, 4),
        .tiles_n = (uint32_t)grid.tiles_n,
        .rows = (uint32_t)p->rows,
        .batches = (uint32_t)p->batches,
        .tiles_m = (uint32_t)grid.tiles_m,
        .x_skip = p->x_skip,
        .w_skip = p->w_skip,
        .y_skip = p->y_skip,
        .w_share = 1,
        .w_batches = (uint32_t)p->batches,
        .scale = (float)p->scale,
        .strip = strip_of(shape.kernels, grid.tiles_m),
        .panel_quads = fum_gemm_panel_quads(p->panels, p->n),
    };
    FUM_EMIT_PUSH(d, push);
    return true;
}
