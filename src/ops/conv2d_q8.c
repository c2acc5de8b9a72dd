// SPDX-License-Identifier: MIT
// conv2d by a weight of q8_0 (FUM_PACK_Q8): the same inputs, settings and epilogue. Blocks lie
// along the input channels, tap by tap, so that a 1x1 convolution's are a product's.
#include <math.h>

#include "base/alloc.h"
#include "ops/lib/matmul.h"
#include "ops/variants/variant.h"
#include "weights/q8.h"

extern const struct fum_op fum_op_conv2d, fum_op_conv2d_q8;

static struct fum_conv conv_of(const struct fum_op_call *call) {
    struct fum_conv c = fum_conv_of(call);
    c.q8 = true;
    return c;
}

// Returns the call as conv2d's, with the weight multiplied out.
static struct fum_op_call plain_call(const struct fum_op_call *call) {
    struct fum_op_call plain = *call;
    struct fum_desc *w = &plain.in[FUM_GEMM_W];
    w->dtype = call->in[0].dtype;
    w->shape.dim[2] = w->shape.dim[2] / FUM_Q8_ROWS * FUM_Q8_BLOCK;
    return plain;
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *w = &call->in[FUM_GEMM_W];
    if (w->shape.rank != 4 || w->dtype != FUM_F32 || w->shape.dim[2] % FUM_Q8_ROWS)
        return fum_refuse(why, "w must be f32 [height, width, in / 32 * 9, out]");
    struct fum_op_call plain = plain_call(call);
    if (!fum_op_conv2d.infer(&plain, why)) return false;
    call->out = plain.out;
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_op_call plain = plain_call(call);
    struct fum_conv c = conv_of(call);
    const double *inputs[FUM_MAX_INPUTS];
    int64_t taps = c.kernel_h * c.kernel_w;
    double *w = fum_alloc((size_t)(taps * c.in_c * c.out_c), sizeof *w);
    for (int64_t i = 0; !w && i < fum_shape_count(&call->out.shape); i++) out[i] = NAN;
    if (!w) return;
    for (int i = 0; i < FUM_MAX_INPUTS; i++) inputs[i] = call->has[i] ? in[i] : NULL;
    for (int64_t tap = 0; tap < taps; tap++) {
        const double *blocks =
            in[FUM_GEMM_W] + tap * (c.in_c / FUM_Q8_BLOCK * FUM_Q8_ROWS) * c.out_c;
        for (int64_t k = 0; k < c.in_c; k++)
            for (int64_t n = 0; n < c.out_c; n++)
                w[(tap * c.in_c + k) * c.out_c + n] = fum_q8_at(blocks, c.out_c, k, n);
    }
    inputs[FUM_GEMM_W] = w;
    fum_op_conv2d.reference(&plain, inputs, out);
    fum_free(w);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv c = conv_of(call);
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (fum_conv_is_product(&c) && !call->has[FUM_CONV_NORM]) {
        struct fum_gemm g = fum_conv_product(call, &c);
        return fum_variant_matmul_q8(call, &g, list);
    }
    return fum_variant_conv2d(call, &c, list);
}

static double flops(const struct fum_op_call *call) {
    struct fum_op_call plain = plain_call(call);
    return fum_op_conv2d.flops(&plain);
}

static const struct fum_op_fusion fusion = {.epilogue = &fum_gemm_epilogue,
                                            .reads = &fum_conv_reads};

const struct fum_op fum_op_conv2d_q8 = {
    .name = "conv2d_q8",
    .attrs = fum_conv_attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
    .fusion = &fusion,
};

bool fum_conv2d_q8_choose(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const int64_t *w = site->call->in[FUM_GEMM_W].shape.dim;
    if (w[2] == 0 || w[2] % FUM_Q8_BLOCK || w[0] * w[1] > FUM_Q8_MAX_TAPS) return false;
    struct fum_op_call quantised = *site->call;
    struct fum_dispatches list = {.info = site->info, .tuning = site->tuning};
    quantised.in[FUM_GEMM_W] =
        (struct fum_desc){{4, {w[0], w[1], w[2] / FUM_Q8_BLOCK * FUM_Q8_ROWS, w[3]}}, FUM_F32};
    if (!infer(&quantised, NULL) || !dispatch(&quantised, &list)) return false;
    *weight = quantised.in[FUM_GEMM_W];
    return true;
}
