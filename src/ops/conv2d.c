// SPDX-License-Identifier: MIT
// 2-D convolution with epilogue, as an implicit matrix product: no patch buffer.

#include "graph/gradient.h"
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
    return fum_gemm_infer_weight(call, false, why) && fum_conv_infer_norm(call, why) &&
           fum_gemm_infer_epilogue(call, 2, why);
}

// Returns output channel n of a pixel, without the epilogue.
static double sum_at(const struct fum_conv_image *image, const double *w, int64_t oy, int64_t ox,
                     int64_t n) {
    const struct fum_conv *c = image->conv;
    double sum = 0;
    for (int64_t tap = 0; tap < c->kernel_h * c->kernel_w; tap++) {
        int64_t y = oy * c->stride - c->pad + tap / c->kernel_w,
                x = ox * c->stride - c->pad + tap % c->kernel_w;
        if (y < 0 || y >= c->in_h * c->up || x < 0 || x >= c->in_w * c->up) continue;
        for (int64_t k = 0; k < c->in_c; k++)
            sum += fum_conv_pixel(image, y, x, k) * w[(tap * c->in_c + k) * c->out_c + n];
    }
    return sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv c = fum_conv_of(call);
    enum fum_act act = (enum fum_act)call->attr[FUM_CONV_ACT];
    for (int64_t row = 0; row < c.batches * c.out_h * c.out_w; row++) {
        int64_t b = row / (c.out_h * c.out_w), oy = row / c.out_w % c.out_h, ox = row % c.out_w;
        struct fum_conv_image image = fum_conv_image_of(call, &c, in, b);
        for (int64_t n = 0; n < c.out_c; n++) {
            double sum = sum_at(&image, in[FUM_GEMM_W], oy, ox, n);
            out[row * c.out_c + n] =
                fum_gemm_finish(call, in, (struct fum_gemm_element){row, n, act}, sum);
        }
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

static bool gradient(struct fum_gradient *g) {
    const fum_tensor *node = g->node;
    fum_tensor *x = node->in[FUM_GEMM_X], *w = node->in[FUM_GEMM_W];
    const int64_t *image = x->desc.shape.dim, *kernel = w->desc.shape.dim;
    const struct fum_attr stride = {"stride", node->attr[FUM_CONV_STRIDE]},
                          pad = {"pad", node->attr[FUM_CONV_PAD]};
    if (node->attr[FUM_CONV_ACT] != FUM_ACT_NONE || node->attr[FUM_CONV_UPSAMPLE] != 0 ||
        node->in[FUM_CONV_NORM])
        return fum_refuse(&g->why,
                          "its activation, norm and upsampling must be nodes of their own");
    if (g->needed[FUM_GEMM_X]) {
        const struct fum_attr attrs[] = {
            stride, pad, {"height", (double)image[1]}, {"width", (double)image[2]}, {0}};
        g->grad[FUM_GEMM_X] =
            fum_gradient_add(g, "conv2d_input_gradient", FUM_INPUTS(g->dout, w), attrs);
    }
    if (g->needed[FUM_GEMM_W]) {
        const struct fum_attr attrs[] = {
            stride, pad, {"height", (double)kernel[0]}, {"width", (double)kernel[1]}, {0}};
        g->grad[FUM_GEMM_W] =
            fum_gradient_add(g, "conv2d_weight_gradient", FUM_INPUTS(x, g->dout), attrs);
    }
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        if (g->needed[i]) g->grad[i] = fum_gradient_sum_to(g, g->dout, node->in[i]->desc.shape);
    return true;
}

static double flops(const struct fum_op_call *call) {
    const int64_t *w = call->in[1].shape.dim;
    return 2.0 * (double)fum_shape_count(&call->out.shape) * (double)(w[0] * w[1] * w[2]);
}

// It would normalise a whole tile anew for each tap and each block of output channels. No device is
// known to be faster so, and it has no reads_normalised.
static const struct fum_input_read reads = {
    .double_attr = "upsample", .norm_input = FUM_CONV_NORM, .norm_act_attr = "norm_act"};

extern const struct fum_op fum_op_conv2d_winograd;

static const struct fum_lowering lowerings[] = {
    {&fum_op_conv2d_winograd, &fum_packing_conv, &fum_packing_winograd, fum_winograd_choose},
    {0},
};

static const struct fum_op_fusion fusion = {
    .epilogue = &fum_gemm_epilogue, .reads = &reads, .lowerings = lowerings};

const struct fum_op fum_op_conv2d = {
    .name = "conv2d",
    .attrs = fum_conv_attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
    .flags = FUM_OP_QUANTISED,
    .fusion = &fusion,
};
