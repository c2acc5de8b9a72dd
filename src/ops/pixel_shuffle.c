// SPDX-License-Identifier: MIT
// [B, H, W, C r²] to [B, H r, W r, C]: channel c r² + i r + j becomes pixel (i, j) of channel c.
// Shi et al., "Real-time single image and video super-resolution" (2016), in PyTorch's order.
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

const struct fum_op fum_op_pixel_shuffle = {
    .name = "pixel_shuffle",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
