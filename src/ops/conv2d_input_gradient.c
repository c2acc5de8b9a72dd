// SPDX-License-Identifier: MIT
// The gradient of conv2d by its image. Inputs dy [batch, height, width, out] and w [height, width,
// in, out]; the settings height and width are those of the image.
#include "ops/lib/conv2d_gradient.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *dy = &call->in[0].shape, *w = &call->in[1].shape;
    if (dy->rank != 4 || w->rank != 4 || dy->dim[3] != w->dim[3] ||
        !fum_is_storage(call->in[0].dtype) || call->in[0].dtype != call->in[1].dtype ||
        call->attr[FUM_CONV_GRADIENT_STRIDE] < 1 || call->attr[FUM_CONV_GRADIENT_HEIGHT] < 0 ||
        call->attr[FUM_CONV_GRADIENT_WIDTH] < 0)
        return fum_refuse(
            why,
            "dy must be [batch, height, width, out] and w [height, width, in, out] of its type");
    call->out = call->in[0];
    call->out.shape = (struct fum_shape){4,
                                         {dy->dim[0], (int64_t)call->attr[FUM_CONV_GRADIENT_HEIGHT],
                                          (int64_t)call->attr[FUM_CONV_GRADIENT_WIDTH], w->dim[2]}};
    return true;
}

static struct fum_conv_gradient sizes_of(const struct fum_op_call *call) {
    return fum_conv_gradient_of(call, &call->out.shape, &call->in[0].shape, &call->in[1].shape);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv_gradient c = sizes_of(call);
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) out[i] = 0;
    struct fum_conv_pair pair = {0};
    while (fum_conv_gradient_next(&c, &pair))
        for (int64_t k = 0; k < c.in_c; k++)
            for (int64_t n = 0; n < c.out_c; n++)
                out[pair.pixel * c.in_c + k] +=
                    in[0][pair.output * c.out_c + n] * in[1][(pair.tap * c.in_c + k) * c.out_c + n];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv_gradient c = sizes_of(call);
    return fum_conv_gradient_dispatch(call, "conv2d_input_gradient", &c, list);
}

static double flops(const struct fum_op_call *call) {
    struct fum_conv_gradient c = sizes_of(call);
    return fum_conv_gradient_flops(&c);
}

const struct fum_op fum_op_conv2d_input_gradient = {
    .name = "conv2d_input_gradient",
    .attrs = fum_conv_gradient_attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
