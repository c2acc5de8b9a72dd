// SPDX-License-Identifier: MIT
// The gradient of average_pool by its image. Input dy; the settings height and width are those of
// the image.
#include "ops/lib/pool.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    return fum_pool_gradient_infer(call, &call->in[0], why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_pool p;
    if (!fum_pool_of(call, &call->out.shape, &p, NULL)) return;
    struct fum_pool_window w = {0};
    const double *dy = in[0];
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) out[i] = 0;
    while (fum_pool_next(&p, &w)) {
        double *dx = out + fum_pool_image(&p, &w);
        for (int64_t c = 0; c < p.channels; c++, dy++)
            for (int64_t iy = w.top; iy < w.bottom; iy++)
                for (int64_t ix = w.left; ix < w.right; ix++)
                    dx[(iy * p.in_w + ix) * p.channels + c] += *dy / w.divisor;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_pool_dispatch(call, "average_pool_gradient", -1, list);
}

const struct fum_op fum_op_average_pool_gradient = {
    .name = "average_pool_gradient",
    .attrs = fum_pool_gradient_attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = fum_pool_flops,
};
