// SPDX-License-Identifier: MIT
// The gradient of max_pool by its image: inputs x, the image, and dy. The first of equally large
// elements of a window gets its dy, as in PyTorch. The settings height and width are those of x.
#include "ops/lib/emit.h"
#include "ops/lib/pool.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_pool_gradient_infer(call, &call->in[1], why)) return false;
    if (call->in[0].dtype == call->out.dtype &&
        fum_shape_same(&call->in[0].shape, &call->out.shape))
        return true;
    return fum_refuse(why, "x must have the height, width, images and channels of the gradient");
}

// Returns the index of the window's first largest element of a channel.
static int64_t find_top(const struct fum_pool *p, const struct fum_pool_window *w, const double *x,
                        int64_t channel) {
    int64_t top = (w->top * p->in_w + w->left) * p->channels + channel;
    for (int64_t iy = w->top; iy < w->bottom; iy++)
        for (int64_t ix = w->left; ix < w->right; ix++) {
            int64_t at = (iy * p->in_w + ix) * p->channels + channel;
            if (x[at] > x[top]) top = at;
        }
    return top;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_pool p;
    if (!fum_pool_of(call, &call->out.shape, &p, NULL)) return;
    struct fum_pool_window w = {0};
    const double *dy = in[1];
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) out[i] = 0;
    while (fum_pool_next(&p, &w)) {
        int64_t image = fum_pool_image(&p, &w);
        for (int64_t c = 0; c < p.channels; c++)
            out[image + find_top(&p, &w, in[0] + image, c)] += *dy++;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_pool_dispatch(call, "max_pool_gradient", -1, list);
}

const struct fum_op fum_op_max_pool_gradient = {
    .name = "max_pool_gradient",
    .attrs = fum_pool_gradient_attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = fum_pool_flops,
};
