// SPDX-License-Identifier: MIT
// matmul by a weight of q8_0 (FUM_PACK_Q8): the same inputs, settings and epilogue, without
// transposition. The kernels multiply the integers out to f32 as they read them; those of variant
// "int8" quantise x, too.

#include "ops/lib/matmul.h"
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

static struct fum_gemm gemm_of(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    bool shares = fum_matmul_shares_x(call);
    int64_t batches = shares ? w->dim[0] : 1;
    return (struct fum_gemm){
        .batches = batches,
        .rows = fum_shape_rows(x),
        .k = fum_shape_channels(x),
        .n = fum_shape_channels(w),
        .w_batches = batches,
        .w_share = 1,
        .x_shared = shares,
        .row_share = x->dim[x->rank - 2],
        .q8 = true,
        .act = (enum fum_act)call->attr[FUM_MATMUL_ACT],
        .scale = call->attr[FUM_MATMUL_SCALE],
        .gate = (enum fum_act)call->attr[FUM_MATMUL_GATE],
    };
}

static double weight_at(const struct fum_gemm *g, const double *w, int64_t k, int64_t n) {
    return fum_q8_at(w, g->n, k, n);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_gemm g = gemm_of(call);
    fum_matmul_reference(call, &g, weight_at, in, out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_gemm g = gemm_of(call);
    return fum_variant_matmul_q8(call, &g, list);
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
