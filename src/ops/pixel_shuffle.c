// SPDX-License-Identifier: MIT
// [B, H, W, C r²] to [B, H r, W r, C]: channel c r² + i r + j becomes pixel (i, j) of channel c.
// Shi et al., "Real-time single image and video super-resolution" (2016), in PyTorch's order.
#include "graph/gradient.h"
#include "ops/lib/emit.h"
#include "ops/lib/resize.h"

static const struct fum_attr_def attrs[] = {{"factor", 2}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t r;
    if (!fum_resize_infer(call, &r, why)) return false;
    if (call->out.shape.dim[3] % (r * r))
        return fum_refuse(why, "%lld channels are no multiple of the factor's square %lld",
                          (long long)call->out.shape.dim[3], (long long)(r * r));
    call->out.shape.dim[3] /= r * r;
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const int64_t *d = call->out.shape.dim, r = (int64_t)call->attr[0],
                  width = call->in[0].shape.dim[2];
    for (int64_t line = 0; line < d[0] * d[1]; line++)
        for (int64_t x = 0; x < d[2]; x++)
            for (int64_t c = 0; c < d[3]; c++)
                *out++ = in[0][(line / r * width + x / r) * d[3] * r * r + c * r * r +
                               line % r * r + x % r];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_resize_dispatch(call, true, list);
}

// Puts the pixels back in two transpositions: the lines of a pixel to its columns, then the pixels
// behind the channels.
static bool gradient(struct fum_gradient *g) {
    const struct fum_attr lines[] = {{"p0", 0}, {"p1", 2}, {"p2", 1}, {"p3", 3}, {0}},
                          channels[] = {{"p0", 0}, {"p1", 2}, {"p2", 1}, {0}};
    const int64_t *d = g->node->in[0]->desc.shape.dim, r = (int64_t)g->node->attr[0],
                  c = d[3] / (r * r);
    fum_tensor *value =
        fum_gradient_reshape(g, g->dout, (struct fum_shape){4, {d[0] * d[1], r, d[2], r * c}});
    value = fum_gradient_add(g, "transpose", FUM_INPUTS(value), lines);
    value = fum_gradient_reshape(g, value, (struct fum_shape){3, {d[0] * d[1] * d[2], r * r, c}});
    value = fum_gradient_add(g, "transpose", FUM_INPUTS(value), channels);
    g->grad[0] = fum_gradient_reshape(g, value, g->node->in[0]->desc.shape);
    return true;
}

const struct fum_op fum_op_pixel_shuffle = {
    .name = "pixel_shuffle",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
