// SPDX-License-Identifier: MIT
// The variant "plain": kernels without shared memory, barriers or texels. It serves every call.
#include "ops/lib/device_class.h"
#include "ops/variants/variant.h"
#include "shaders/rowwise.pc.h"

static bool usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return fum_device_stores(info, dtype);
}

// ---- products and convolutions ----

// A product to find a block for; `quads`: of columns, of quad_bytes each in w.
struct product {
    int64_t rows, terms, quads;
    size_t quad_bytes;
};

// Returns the rough cost of a product by blocks, in fused multiply-adds of one component. The unit
// is a workgroup's step over four terms, as measured on lavapipe. There a quad of x, the same for
// all lanes, costs as much as 16 of them, a quad of w two.
static double cost_of(const struct product *p, const struct fum_gemm_tile *t, bool cached_spills) {
    int64_t high = (int64_t)t->rows * (t->lanes / t->lanes_n), wide = (int64_t)t->cols * t->lanes_n;
    double tiles_m = (double)FUM_DIV_UP(p->rows, high),
           tiles_n = (double)FUM_DIV_UP(p->quads, wide);
    double step = (double)(16 * t->rows * t->cols + 16 * t->rows + 8 * t->cols), missing = 0;
    // All tiles along the rows read the same columns of w. If they fit the second-level cache, only
    // the first misses it, which costs some 12 operations a quad.
    if (cached_spills)
        missing = (double)(p->terms * wide) * (double)p->quad_bytes < 1.25e6 ? 1 : tiles_m;
    return tiles_n * (tiles_m * step + missing * 12 * 4 * (double)wide);
}

// Chooses the block of a workgroup: at most 8 x 2 quads on GPUs. The registers of CPUs spill to the
// first-level cache anyway, so there it has up to 8 x 4. It has 16 x 4 where the work is worth the
// second or two that compiling it takes; no product of a model with small weights is. Little work
// gets a kernel that compiles at once, and few different ones.
static struct fum_gemm_tile choose_tile(const struct fum_device_info *info, int64_t rows,
                                        int64_t terms, int64_t quads, size_t quad_bytes) {
    const struct product product = {rows, terms, quads, quad_bytes};
    bool spills = fum_device_class_of(info)->spills_to_cache;
    struct fum_gemm_tile t = {.lanes = fum_lanes(info)}, best_tile = t;
    uint32_t most_lanes = FUM_MIN(t.lanes, 8);
    double work = (double)rows * (double)terms * (double)quads, best = 0;
    if (spills && work < 1e6)
        return (struct fum_gemm_tile){.rows = rows <= 2 ? 2 : 4,
                                      .cols = 1,
                                      .lanes = t.lanes,
                                      .lanes_n = quads <= 2 ? 1 : most_lanes,
                                      .any_epilogue = true};
    bool large = spills && (work > 90e6 || (work > 25e6 && (double)terms * (double)quads > 2e4));
    for (t.lanes_n = most_lanes; t.lanes_n; t.lanes_n /= 2)
        for (t.rows = large ? 16 : 8; t.rows; t.rows /= spills ? 4 : 2)
            for (t.cols = spills ? 4 : 2; t.cols; t.cols /= 2) {
                double cost = cost_of(&product, &t, spills);
                if (best != 0 && cost >= best) continue;
                best = cost;
                best_tile = t;
            }
    // Small blocks on CPU devices look the epilogue up at run time.
    best_tile.any_epilogue = spills && best_tile.rows <= 8;
    return best_tile;
}

const struct fum_gemm_kernels fum_gemm_plain = {
    .matmul = "matmul", .conv2d = "conv2d", .choose = choose_tile};

static bool matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                   struct fum_dispatches *list) {
    return fum_gemm_dispatch_by(&fum_gemm_plain, call, g, list);
}

static bool conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                   struct fum_dispatches *list) {
    return fum_conv_dispatch_by(&fum_gemm_plain, call, c, list);
}

// ---- attention ----

// Chooses how much an invocation does. CPU drivers keep the block in the first-level cache. There a
// large kernel is faster but takes seconds to compile, so little work gets a small one.
static struct fum_attention_tile choose_attention(const struct fum_device_info *info,
                                                  const struct fum_attention *a) {
    bool spills = fum_device_class_of(info)->spills_to_cache;
    bool large = (double)a->batches * (double)a->queries * (double)a->keys *
                     (double)(a->heads * a->channels) >
                 25e6;
    uint32_t quads = (uint32_t)(a->channels / 4), most = 16;
    if (spills) most = large ? 20 : 8;
    uint32_t splits = FUM_DIV_UP(quads, most);
    struct fum_attention_tile t = {.lanes = fum_lanes(info),
                                   .queries = spills ? 4 : 1,
                                   .keys = spills && large ? 8 : 4,
                                   .out_quads = FUM_MIN(quads, most)};
    if (large) t.out_quads = FUM_DIV_UP(quads, splits);
    t.rows = t.queries * t.lanes;
    t.splits = FUM_DIV_UP(quads, t.out_quads);
    return t;
}

static const struct fum_attention_kernels attention_kernels = {.shader = "attention",
                                                               .choose = choose_attention};

// One head may be too wide for an invocation to hold. Where blocks are in the first-level cache,
// the kernel above would compute the scores once per split. There, in f32, the scores of some
// queries at a time go to scratch instead, via two products and a softmax. Scores in f16 would lose
// digits, so the other types keep the kernel.
enum { SCORE_BYTES = 16 << 20 }; // largest such scratch

// Returns how many queries have their scores there at once, or 0 to select the kernel.
static int64_t score_rows(const struct fum_op_call *call, const struct fum_attention *a,
                          const struct fum_device_info *info) {
    double work = (double)(a->batches * a->queries) * (double)a->keys * (double)a->channels;
    if (!fum_device_class_of(info)->spills_to_cache || call->out.dtype != FUM_F32 ||
        a->heads != 1 || a->causal || a->channels < 128 || work < 25e6 ||
        fum_desc_bytes(&call->in[0]) > info->max_binding ||
        fum_desc_bytes(&call->in[1]) > info->max_binding)
        return 0;
    int64_t row = FUM_DIV_UP(a->keys, 4) * 16,
            fit = (int64_t)FUM_MIN(info->max_binding, SCORE_BYTES) / row;
    fit = FUM_MIN(fit, a->queries);
    bool few = fit > 0 && 3 * a->batches * FUM_DIV_UP(a->queries, fit) <= FUM_MAX_DISPATCHES;
    return few ? fit : 0;
}

// Adds what turns rows of scores into weights, in place.
static bool add_softmax(int64_t rows, int64_t keys, struct fum_dispatch_bind scores,
                        struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_emit(list, "softmax", FUM_F32, (uint64_t)rows);
    if (!d) return false;
    scores.write = false;
    fum_emit_bind(d, scores);
    scores.write = true;
    fum_emit_bind(d, scores);
    const struct fum_rowwise_push push = {.channels = (uint32_t)keys, .rows = (uint32_t)rows};
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Adds queries [first, first + count) of batch b.
static bool add_scores(const struct fum_op_call *call, const struct fum_attention *a, int64_t b,
                       struct fum_rows queries, struct fum_dispatches *list) {
    const struct fum_rows keys = {&call->in[1], b * a->keys, a->keys},
                          values = {&call->in[2], b * a->keys, a->keys},
                          out = {&call->out, queries.first, queries.count};
    struct fum_dispatch_bind scores =
        fum_bind_scratch(0, (uint64_t)(queries.count * FUM_DIV_UP(a->keys, 4)) * 16, false);
    struct fum_gemm_product score = {.kernels = fum_gemm_kernels_for(list, FUM_F32),
                                     .batches = 1,
                                     .rows = queries.count,
                                     .k = a->channels,
                                     .n = a->keys,
                                     .transposed = true,
                                     .scale = a->scale};
    struct fum_gemm_product sum = score;
    sum.k = a->keys;
    sum.n = a->channels;
    sum.transposed = false;
    sum.scale = 1;
    score.x = fum_bind_rows(list, 0, queries, &score.x_skip);
    score.w = fum_bind_rows(list, 1, keys, &score.w_skip);
    score.y = scores;
    score.y.write = true;
    sum.x = scores;
    sum.w = fum_bind_rows(list, 2, values, &sum.w_skip);
    sum.y = fum_bind_rows(list, FUM_OUT, out, &sum.y_skip);
    return fum_gemm_emit_product(list, &score) &&
           add_softmax(queries.count, a->keys, scores, list) && fum_gemm_emit_product(list, &sum);
}

static bool attention(const struct fum_op_call *call, const struct fum_attention *a,
                      struct fum_dispatches *list) {
    int64_t rows = score_rows(call, a, list->info);
    if (!rows) return fum_attention_dispatch_by(&attention_kernels, call, a, list);
    list->scratch_bytes = (uint64_t)(rows * FUM_DIV_UP(a->keys, 4)) * 16;
    for (int64_t b = 0; b < a->batches; b++)
        for (int64_t first = 0; first < a->queries; first += rows) {
            const struct fum_rows queries = {&call->in[0], b * a->queries + first,
                                             FUM_MIN(rows, a->queries - first)};
            if (!add_scores(call, a, b, queries, list)) return false;
        }
    return true;
}

static bool weight_gradient(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                            struct fum_dispatches *list) {
    return fum_conv_gradient_dispatch(call, "conv2d_weight_gradient", c, list);
}

const struct fum_variant fum_variant_plain = {
    .name = "plain",
    .summary = "no shared memory, no barriers: for CPU devices, and right everywhere",
    .needs = "storage of the type",
    .usable = usable,
    .matmul = matmul,
    .conv2d = conv2d,
    .normalises = true,
    .gates = true,
    .panels = true,
    .attention = attention,
    .weight_gradient = weight_gradient,
};
