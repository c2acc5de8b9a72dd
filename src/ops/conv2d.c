// SPDX-License-Identifier: MIT
// 2-D convolution with epilogue, as an implicit matrix product: no patch buffer.

#include "ops/lib/unary.h"
#include "ops/variants/variant.h"
#include "ops/lib/winograd.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    int64_t stride = (int64_t)call->attr[FUM_CONV_STRIDE], pad = (int64_t)call->attr[FUM_CONV_PAD];
    int64_t padding = 2 * pad + (int64_t)call->attr[FUM_CONV_PAD_END_EXTRA];
    int64_t up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1;
    if (x->rank != 4 || w->rank != 4)
        return fum_refuse(why,
                          "x must be [batch, height, width, in] and w [height, width, in, out]");
    if (x->dim[3] != w->dim[2])
        return fum_refuse(why, "x has %lld channels but w takes %lld", (long long)x->dim[3],
                          (long long)w->dim[2]);
    if (stride < 1 || pad < 0 || padding < 2 * pad)
        return fum_refuse(why, "stride must be 1 or more and paddings not negative");
    int64_t high = x->dim[1] * up + padding - w->dim[0],
            wide = x->dim[2] * up + padding - w->dim[1];
    if (w->dim[0] < 1 || w->dim[1] < 1 || high < 0 || wide < 0)
        return fum_refuse(why, "the image with its padding is smaller than the kernel");
    call->out.shape =
        (struct fum_shape){4, {x->dim[0], high / stride + 1, wide / stride + 1, w->dim[3]}};
    call->out.dtype = call->in[0].dtype;
    return fum_conv_infer_norm(call, why) && fum_gemm_infer_epilogue(call, 2, why);
}

// Channel k of the pixel as the convolution sees it; `norm`: [2, channels] of its image, or NULL.
static double pixel_value(const struct fum_conv *c, const double *pixel, const double *norm,
                          enum fum_act act, int64_t k) {
    return norm ? fum_act_reference(act, pixel[k] * norm[k] + norm[c->in_c + k]) : pixel[k];
}

static double sum_at(const struct fum_conv *c, const double *x, const double *w, const double *norm,
                     enum fum_act act, int64_t b, int64_t oy, int64_t ox, int64_t n) {
    double sum = 0;
    if (norm) norm += b * 2 * c->in_c;
    for (int64_t ky = 0; ky < c->kernel_h; ky++) {
        for (int64_t kx = 0; kx < c->kernel_w; kx++) {
            int64_t iy = oy * c->stride - c->pad + ky, ix = ox * c->stride - c->pad + kx;
            if (iy < 0 || iy >= c->in_h * c->up || ix < 0 || ix >= c->in_w * c->up) continue;
            const double *pixel = x + ((b * c->in_h + iy / c->up) * c->in_w + ix / c->up) * c->in_c;
            const double *tap = w + (ky * c->kernel_w + kx) * c->in_c * c->out_c;
            for (int64_t k = 0; k < c->in_c; k++)
                sum += pixel_value(c, pixel, norm, act, k) * (double)tap[k * c->out_c + n];
        }
    }
    return sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv c = fum_conv_of(call);
    const double *norm = call->has[FUM_CONV_NORM] ? in[FUM_CONV_NORM] : NULL;
    enum fum_act norm_act = (enum fum_act)call->attr[FUM_CONV_NORM_ACT];
    for (int64_t row = 0; row < c.batches * c.out_h * c.out_w; row++) {
        int64_t b = row / (c.out_h * c.out_w), oy = row / c.out_w % c.out_h, ox = row % c.out_w;
        for (int64_t n = 0; n < c.out_c; n++)
            out[row * c.out_c + n] =
                fum_gemm_finish(call, in, sum_at(&c, in[0], in[1], norm, norm_act, b, oy, ox, n),
                                (enum fum_act)call->attr[FUM_CONV_ACT], row, n);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv c = fum_conv_of(call);
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (fum_conv_is_product(&c) && !call->has[FUM_CONV_NORM]) {
        struct fum_gemm g = fum_conv_product(call, &c);
        return fum_variant_matmul(call, &g, list);
    }
    return fum_variant_conv2d(call, &c, list);
}

static double flops(const struct fum_op_call *call) {
    const int64_t *w = call->in[1].shape.dim;
    return 2.0 * (double)fum_shape_count(&call->out.shape) * (double)(w[0] * w[1] * w[2]);
}

const struct fum_input_read fum_conv_reads = {
    .double_attr = "upsample", .norm_input = FUM_CONV_NORM, .norm_act_attr = "norm_act"};

extern const struct fum_op fum_op_conv2d_q8, fum_op_conv2d_winograd;

static const struct fum_lowering lowerings[] = {
    {&fum_op_conv2d_q8, FUM_PACK_CONV, FUM_PACK_Q8, true, fum_conv2d_q8_choose},
    {&fum_op_conv2d_winograd, FUM_PACK_CONV, FUM_PACK_WINOGRAD, false, fum_winograd_choose},
    {0},
};

static const struct fum_op_fusion fusion = {
    .epilogue = &fum_gemm_epilogue, .reads = &fum_conv_reads, .lowerings = lowerings};

const struct fum_op fum_op_conv2d = {
    .name = "conv2d",
    .attrs = fum_conv_attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
    .fusion = &fusion,
};
