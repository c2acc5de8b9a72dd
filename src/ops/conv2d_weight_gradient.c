// SPDX-License-Identifier: MIT
// The gradient of conv2d by its weight. Inputs x [batch, height, width, in] and dy [batch, height,
// width, out]; the settings height and width are those of the kernel.
#include "ops/variants/variant.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *dy = &call->in[1].shape;
    if (x->rank != 4 || dy->rank != 4 || x->dim[0] != dy->dim[0] ||
        !fum_is_storage(call->in[0].dtype) || call->in[0].dtype != call->in[1].dtype ||
        call->attr[FUM_CONV_GRADIENT_STRIDE] < 1 || call->attr[FUM_CONV_GRADIENT_HEIGHT] < 1 ||
        call->attr[FUM_CONV_GRADIENT_WIDTH] < 1)
        return fum_refuse(why, "x and dy must be [batch, height, width, channels] of one type");
    call->out = call->in[0];
    call->out.shape =
        (struct fum_shape){4,
                           {(int64_t)call->attr[FUM_CONV_GRADIENT_HEIGHT],
                            (int64_t)call->attr[FUM_CONV_GRADIENT_WIDTH], x->dim[3], dy->dim[3]}};
    return true;
}

static struct fum_conv_gradient sizes_of(const struct fum_op_call *call) {
    struct fum_conv_gradient c =
        fum_conv_gradient_of(call, &call->in[0].shape, &call->in[1].shape, &call->out.shape);
    double width = call->attr[FUM_CONV_GRADIENT_PAD_WIDTH];
    if (width >= 0) c.pad_x = (int64_t)width;
    return c;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv_gradient c = sizes_of(call);
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) out[i] = 0;
    struct fum_conv_pair pair = {0};
    while (fum_conv_gradient_next(&c, &pair))
        for (int64_t k = 0; k < c.in_c; k++)
            for (int64_t n = 0; n < c.out_c; n++)
                out[(pair.tap * c.in_c + k) * c.out_c + n] +=
                    in[0][pair.pixel * c.in_c + k] * in[1][pair.output * c.out_c + n];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv_gradient c = sizes_of(call);
    bool terms = fum_shape_count(&call->in[0].shape) && fum_shape_count(&call->in[1].shape);
    if (!terms) return fum_conv_gradient_dispatch(call, "conv2d_weight_gradient", &c, list);
    return fum_variant_weight_gradient(call, &c, list);
}

static double flops(const struct fum_op_call *call) {
    struct fum_conv_gradient c = sizes_of(call);
    return fum_conv_gradient_flops(&c);
}

const struct fum_op fum_op_conv2d_weight_gradient = {
    .name = "conv2d_weight_gradient",
    .attrs = fum_conv_gradient_attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
