// SPDX-License-Identifier: MIT
// Variant "texel": the barrier-free kernels with inputs read as texels and handed from lane to lane
// by shuffles, for CPU drivers. docs/notes/kernels.md says why.
#include "ops/variants/texel.h"

#include "ops/lib/emit.h"
#include "ops/variants/variant.h"

// A workgroup is one subgroup, whose width must not vary; wider ones than 16 lanes would leave most
// fetches of x idle.
static bool usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return fum_device_stores(info, dtype) && info->subgroup_shuffle && info->subgroup_size >= 4 &&
           info->subgroup_size <= 16 && info->subgroup_min == info->subgroup_max &&
           fum_texels_fit(info, dtype);
}

// 16 rows (32 of 16 lanes) of a quad each: as many sums as a CPU's registers and first-level cache
// take without slowing down, and 6 fetches (of 8 lanes) for 256 multiply-adds. Two quads are 8 %
// faster and twice as long to compile: for much work only.
static struct fum_gemm_tile choose(const struct fum_device_info *info, int64_t rows, int64_t terms,
                                   int64_t quads, size_t quad_bytes) {
    (void)quad_bytes;
    uint32_t lanes = info->subgroup_size, tall = 2 * lanes < 16 ? 16 : 2 * lanes;
    bool much = (double)rows * (double)terms * (double)quads > 20e6 && quads % (2 * lanes) == 0;
    while (tall > 1 && tall / 2 >= rows) tall /= 2;
    bool wide = much && tall >= 16;
    // Small blocks look the epilogue up at run time: one kernel for all of them.
    return (struct fum_gemm_tile){.rows = tall,
                                  .cols = wide ? 2 : 1,
                                  .lanes = lanes,
                                  .lanes_n = lanes,
                                  .any_epilogue = !wide};
}

const struct fum_gemm_kernels fum_gemm_texel = {
    .matmul = "matmul_texel", .conv2d = "conv2d_texel", .texels = 0x1f, .choose = choose};

bool fum_texel_chosen(const struct fum_device_info *info, const struct fum_tuning *tuning,
                      enum fum_dtype dtype) {
    return fum_texels_pay(info, tuning, dtype) && usable(info, dtype);
}

const struct fum_gemm_kernels *fum_gemm_unshared(const struct fum_dispatches *list,
                                                 enum fum_dtype dtype) {
    return fum_texel_chosen(list->info, list->tuning, dtype) ? &fum_gemm_texel : &fum_gemm_plain;
}

// With one or two quads of outputs nearly all lanes would be idle.
static bool serves(int64_t channels) {
    return channels > 8;
}

static bool matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                   struct fum_dispatches *list) {
    return serves(g->n) && g->k > 0 && fum_gemm_dispatch_by(&fum_gemm_texel, call, g, list);
}

static bool conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                   struct fum_dispatches *list) {
    return serves(c->out_c) && c->in_c > 0 && fum_conv_dispatch_by(&fum_gemm_texel, call, c, list);
}

enum { ATTENTION_HEAD = 256 }; // widest head

// Each lane's queries and their outputs must stay in the first-level cache, and the kernel, of
// which all is unrolled, in the instruction cache: the wider the head, the fewer queries. Little
// work gets what compiles fastest.
static struct fum_attention_tile choose_attention(const struct fum_device_info *info,
                                                  const struct fum_attention *a) {
    uint32_t lanes = info->subgroup_size, quads = (uint32_t)(a->channels / 4);
    bool much =
        (double)(a->batches * a->queries) * (double)a->keys * (double)(a->heads * a->channels) >
        40e6;
    uint32_t rows = !much || quads > 32 ? 1
                    : quads > 16        ? 2
                                        : 4,
             keys = rows == 2 || lanes == 4 ? 4 : 8;
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

const struct fum_variant fum_variant_texel = {
    .name = "texel",
    .summary = "inputs fetched as texels, shared by shuffles: for CPU devices",
    .needs = "texel buffers, subgroup shuffles and one subgroup size from 4 to 16",
    .usable = usable,
    .matmul = matmul,
    .conv2d = conv2d,
    .attention = attention,
};
