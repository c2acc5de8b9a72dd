// SPDX-License-Identifier: MIT
// The average of each window of an image. "count_include_pad" 1 divides by the whole window, 0 by
// its part inside the image, as PyTorch does.
#include "ops/lib/pool.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_pool p;
    if (!fum_pool_of(call, &call->in[0].shape, &p, NULL)) return;
    struct fum_pool_window w = {0};
    while (fum_pool_next(&p, &w)) {
        const double *x = in[0] + fum_pool_image(&p, &w);
        for (int64_t c = 0; c < p.channels; c++) {
            double sum = 0;
            for (int64_t iy = w.top; iy < w.bottom; iy++)
                for (int64_t ix = w.left; ix < w.right; ix++)
                    sum += x[(iy * p.in_w + ix) * p.channels + c];
            *out++ = sum / w.divisor;
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_pool_dispatch(call, "pool", false, list);
}

static bool gradient(struct fum_gradient *g) {
    g->grad[0] = fum_pool_add_gradient(g, "average_pool_gradient", FUM_INPUTS(g->dout));
    return true;
}

const struct fum_op fum_op_average_pool = {
    .name = "average_pool",
    .attrs = fum_pool_attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_pool_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = fum_pool_flops,
};
