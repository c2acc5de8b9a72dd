// SPDX-License-Identifier: MIT
// A transposed convolution, as torch's ConvTranspose2d: x [batch, height, width, in], a weight
// [height, width, out, in] and an optional bias [out]. It is the gradient of conv2d by its image,
// so the weight is packed as that of a convolution from out to in channels.
#include "graph/gradient.h"
#include "ops/lib/conv2d_gradient.h"

enum { X, WEIGHT, BIAS };
enum { STRIDE = FUM_CONV_GRADIENT_STRIDE, PAD = FUM_CONV_GRADIENT_PAD, OUTPUT_PADDING };
static const struct fum_attr_def attrs[] = {
    [STRIDE] = {"stride", 1}, [PAD] = {"pad", 0}, [OUTPUT_PADDING] = {"output_padding", 0}, {0}};

static bool check_inputs(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[X], *w = &call->in[WEIGHT], *bias = &call->in[BIAS];
    if (x->shape.rank != 4 || w->shape.rank != 4 || w->shape.dim[3] != x->shape.dim[3] ||
        !fum_is_storage(x->dtype) || w->dtype != x->dtype)
        return fum_refuse(
            why, "x must be [batch, height, width, in] and the weight [height, width, out, in]");
    if (call->has[BIAS] &&
        (bias->dtype != x->dtype || fum_shape_count(&bias->shape) != w->shape.dim[2] ||
         fum_shape_channels(&bias->shape) != w->shape.dim[2]))
        return fum_refuse(why, "the bias must have a number for each output channel");
    return true;
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    enum { MOST = 1 << 15 };
    const int64_t *x = call->in[X].shape.dim, *w = call->in[WEIGHT].shape.dim;
    int64_t stride, pad, extra, side[2];
    if (!check_inputs(call, why) ||
        !fum_attr_int(call->attr[STRIDE], (struct fum_attr_range){"stride", 1, MOST}, &stride,
                      why) ||
        !fum_attr_int(call->attr[PAD], (struct fum_attr_range){"pad", 0, MOST}, &pad, why) ||
        !fum_attr_int(call->attr[OUTPUT_PADDING],
                      (struct fum_attr_range){"output_padding", 0, stride - 1}, &extra, why))
        return false;
    for (int i = 0; i < 2; i++) {
        side[i] = (x[1 + i] - 1) * stride - 2 * pad + w[i] + extra;
        if (x[1 + i] < 1 || side[i] < 1) return fum_refuse(why, "the result would have no pixels");
    }
    call->out = call->in[X];
    call->out.shape = (struct fum_shape){4, {x[0], side[0], side[1], w[2]}};
    return true;
}

static struct fum_conv_gradient sizes_of(const struct fum_op_call *call) {
    struct fum_conv_gradient c =
        fum_conv_gradient_of(call, &call->out.shape, &call->in[X].shape, &call->in[WEIGHT].shape);
    c.bias = call->has[BIAS] ? BIAS : 0;
    return c;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv_gradient c = sizes_of(call);
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++)
        out[i] = c.bias ? in[BIAS][i % c.in_c] : 0;
    struct fum_conv_pair pair = {0};
    while (fum_conv_gradient_next(&c, &pair))
        for (int64_t k = 0; k < c.in_c; k++)
            for (int64_t n = 0; n < c.out_c; n++)
                out[pair.pixel * c.in_c + k] += in[X][pair.output * c.out_c + n] *
                                                in[WEIGHT][(pair.tap * c.in_c + k) * c.out_c + n];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv_gradient c = sizes_of(call);
    return fum_conv_gradient_dispatch(call, c.bias ? "conv_transpose2d" : "conv2d_input_gradient",
                                      &c, list);
}

// Adds dx, a convolution of dout, and dw, the gradient of that convolution by its weight.
static bool gradient(struct fum_gradient *g) {
    fum_tensor *x = g->node->in[X], *w = g->node->in[WEIGHT], *bias = g->node->in[BIAS];
    const struct fum_attr stride = {"stride", g->node->attr[STRIDE]},
                          pad = {"pad", g->node->attr[PAD]};
    if (g->needed[X]) {
        const struct fum_attr settings[] = {stride, pad, {0}};
        g->grad[X] = fum_gradient_add(g, "conv2d", FUM_INPUTS(g->dout, w), settings);
    }
    if (g->needed[WEIGHT]) {
        const struct fum_attr settings[] = {stride,
                                            pad,
                                            {"height", (double)w->desc.shape.dim[0]},
                                            {"width", (double)w->desc.shape.dim[1]},
                                            {0}};
        g->grad[WEIGHT] =
            fum_gradient_add(g, "conv2d_weight_gradient", FUM_INPUTS(g->dout, x), settings);
    }
    if (g->needed[BIAS]) g->grad[BIAS] = fum_gradient_sum_to(g, g->dout, bias->desc.shape);
    return true;
}

static double flops(const struct fum_op_call *call) {
    struct fum_conv_gradient c = sizes_of(call);
    return fum_conv_gradient_flops(&c);
}

const struct fum_op fum_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
};
