// SPDX-License-Identifier: MIT
// Variant "texel": the barrier-free kernels with inputs read as texels and handed from lane to lane
// by shuffles, for CPU drivers. docs/notes/kernels.md says why.
#include "ops/lib/texels.h"
#include "ops/lib/weight_gradient.h"
#include "ops/variants/variant.h"

// Chooses 16 rows (32 of 16 lanes) of a quad each. A CPU's registers and first-level cache take so
// many sums without slowing down, and 256 multiply-adds need 6 fetches (of 8 lanes). Two quads take
// fewer instructions for each, but twice the code. On a Zen 3 whose cores other threads share they
// take 1.07 times as long, and 0.92 times on an idle one. Vectors of 16 lanes keep two for much
// work: one was not measured there.
static struct fum_gemm_tile choose_tile(const struct fum_device_info *info, int64_t rows,
                                        int64_t terms, int64_t quads, size_t quad_bytes) {
    (void)quad_bytes;
    uint32_t lanes = info->subgroup_size, height = FUM_MAX(2 * lanes, 16);
    bool much = (double)rows * (double)terms * (double)quads > 20e6 && quads % (2 * lanes) == 0;
    while (height > 1 && height / 2 >= rows) height /= 2;
    bool large = much && height >= 16;
    // Small products look the epilogue up at run time: one kernel for all of them.
    return (struct fum_gemm_tile){.rows = height,
                                  .cols = large && lanes > 8 ? 2 : 1,
                                  .lanes = lanes,
                                  .lanes_n = lanes,
                                  .any_epilogue = !large};
}

const struct fum_gemm_kernels fum_gemm_texel = {
    .matmul = "matmul_texel", .conv2d = "conv2d_texel", .texels = 0x1f, .choose = choose_tile};

const struct fum_gemm_kernels *fum_gemm_kernels_for(const struct fum_dispatches *list,
                                                    enum fum_dtype dtype) {
    bool texel =
        fum_texel_usable(list->info, dtype) && fum_texels_faster(list->info, list->tuning, dtype);
    return texel ? &fum_gemm_texel : &fum_gemm_plain;
}

// Chooses the blocks of plain kernels, whose lanes lie along the rows where columns are few.
static struct fum_gemm_tile choose_narrow_tile(const struct fum_device_info *info, int64_t rows,
                                               int64_t terms, int64_t quads, size_t quad_bytes) {
    return fum_gemm_plain.choose(info, rows, terms, quads, quad_bytes);
}

static const struct fum_gemm_kernels narrow_kernels = {
    .conv2d = "conv2d_narrow_texel", .texels = 0x1f, .choose = choose_narrow_tile};

// True if the kernels serve so many channels. One or two quads of outputs would leave nearly all
// lanes idle. Quantised weights are multiplied out here at any width, since that costs most.
static bool serves(int64_t channels, const struct fum_packing *quantised) {
    return channels > 8 || quantised;
}

// Adds a product. A gate is taken at any width: it takes less time than the dispatch that it saves.
// Few columns of long sums are those of an adapter: 1024 rows by 320 terms of 8 columns take the
// other kernels 4.7 ms.
static bool matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                   struct fum_dispatches *list) {
    enum { LONG_SUM = 64 };
    bool served = g->k > 0 && (g->gate != FUM_ACT_NONE || serves(g->n, g->quantised) ||
                               (g->n > 4 && g->k >= LONG_SUM));
    return served && fum_gemm_dispatch_by(&fum_gemm_texel, call, g, list);
}

// Adds a convolution. 16 channels leave half of 8 lanes idle, if they lie along the channels: 8
// images of 128x128, 16 to 16, take 30 ms so, and 20 by narrow kernels.
static bool conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                   struct fum_dispatches *list) {
    enum { NARROW = 16 };
    if (c->in_c == 0) return false;
    bool wide = c->out_c > NARROW || c->quantised;
    return fum_conv_dispatch_by(wide ? &fum_gemm_texel : &narrow_kernels, call, c, list);
}

enum { ATTENTION_HEAD = 256 }; // widest head

// Chooses the tile. Each lane's queries and their outputs must stay in the first-level cache. The
// kernel, of which all is unrolled, must stay in the instruction cache: the wider the head, the
// fewer queries. Little work gets what compiles fastest.
static struct fum_attention_tile choose_attention(const struct fum_device_info *info,
                                                  const struct fum_attention *a) {
    uint32_t lanes = info->subgroup_size, quads = (uint32_t)(a->channels / 4);
    bool much =
        (double)(a->batches * a->queries) * (double)a->keys * (double)(a->heads * a->channels) >
        40e6;
    uint32_t rows = 4;
    if (quads > 16) rows = 2;
    if (!much || quads > 32) rows = 1;
    uint32_t keys = rows == 2 || lanes == 4 ? 4 : 8;
    return (struct fum_attention_tile){.lanes = lanes,
                                       .queries = rows,
                                       .keys = keys,
                                       .out_quads = quads,
                                       .rows = rows * lanes,
                                       .splits = 1};
}

static const struct fum_attention_kernels attention_kernels = {
    .shader = "attention_texel", .texels = 0x7, .choose = choose_attention};

static bool attention(const struct fum_op_call *call, const struct fum_attention *a,
                      struct fum_dispatches *list) {
    return a->channels <= ATTENTION_HEAD && a->keys > 0 &&
           fum_attention_dispatch_by(&attention_kernels, call, a, list);
}

// Blocks are those of products. A CPU's cores share the workgroups, so they should be several even
// where the weight is small.
static bool weight_gradient(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                            struct fum_dispatches *list) {
    enum { LEAST_GROUPS = 16, LEAST_PIXELS = 512 };
    uint32_t lanes = list->info->subgroup_size, rows = FUM_MAX(2 * lanes, 16);
    int64_t quads = FUM_DIV_UP(c->out_c, 4), pixels = fum_weight_gradient_pixels(c);
    uint32_t columns = quads % (2 * lanes) == 0 && fum_conv_gradient_flops(c) > 160e6 ? 2 : 1;
    int64_t groups =
        FUM_DIV_UP(fum_weight_gradient_rows(c), rows) * FUM_DIV_UP(quads, columns * lanes);
    const struct fum_weight_kernel kernel = {
        .shader = "weight_gradient_texel",
        .texels = 3,
        .lanes = lanes,
        .rows = rows,
        .columns = 4 * columns * lanes,
        .step = 4,
        .splits = FUM_MIN(FUM_DIV_UP(LEAST_GROUPS, groups), FUM_DIV_UP(pixels, LEAST_PIXELS)),
        .specs = {rows, columns},
        .num_specs = 2};
    return fum_weight_gradient_winograd(call, c, &kernel, list) ||
           fum_weight_gradient_dispatch(call, c, &kernel, list);
}

const struct fum_variant fum_variant_texel = {
    .name = "texel",
    .summary = "inputs fetched as texels, shared by shuffles: for CPU devices",
    .needs = "texel buffers, subgroup shuffles and one subgroup size from 4 to 16",
    .usable = fum_texel_usable,
    .matmul = matmul,
    .conv2d = conv2d,
    .gates = true,
    .panels = true,
    .attention = attention,
    .weight_gradient = weight_gradient,
};
