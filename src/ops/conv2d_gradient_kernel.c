// SPDX-License-Identifier: MIT
// The kernel of the convolution, of stride 1, that gives conv2d's gradient by its image from dy.
// Input w [height, width, in, out] gives [taps, taps, out, stride² in]. Tap ky of w
// takes pixel i + d of dy to pixel s i + a of dx, where a + pad - ky = s d; columns likewise. So
// channel c s² + s a + b of the result belongs to pixel (s i + a, s j + b), as in pixel_shuffle.
// Its tap t belongs to d = first + t. Taps that w does not have are zero.
#include "ops/lib/texels.h"
#include "shaders/conv2d_gradient_kernel.pc.h"

enum { STRIDE, PAD, FIRST, HEIGHT, WIDTH, PAD_WIDTH };
static const struct fum_attr_def attrs[] = {[STRIDE] = {"stride", 1},
                                            [PAD] = {"pad", 0},
                                            [FIRST] = {"first", 0},
                                            [HEIGHT] = {"height", 1},
                                            [WIDTH] = {"width", 1},
                                            [PAD_WIDTH] = {"pad_width", -1},
                                            {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *w = &call->in[0].shape;
    int64_t stride, ignored;
    const struct fum_attr_range ranges[] = {
        [STRIDE] = {"stride", 1, 64},       [PAD] = {"pad", 0, 1 << 16},
        [FIRST] = {"first", -(1 << 16), 0}, [HEIGHT] = {"height", 1, 1 << 16},
        [WIDTH] = {"width", 1, 1 << 16},    [PAD_WIDTH] = {"pad_width", -1, 1 << 16}};
    if (w->rank != 4 || !fum_is_storage(call->in[0].dtype))
        return fum_refuse(why, "w must be [height, width, in, out]");
    for (int i = STRIDE; i <= PAD_WIDTH; i++)
        if (!fum_attr_int(call->attr[i], ranges[i], &ignored, why)) return false;
    stride = (int64_t)call->attr[STRIDE];
    call->out = call->in[0];
    call->out.shape = (struct fum_shape){4,
                                         {(int64_t)call->attr[HEIGHT], (int64_t)call->attr[WIDTH],
                                          w->dim[3], stride * stride * w->dim[2]}};
    return true;
}

// Returns the padding left and right; -1 stands for that above.
static int64_t pad_width(const struct fum_op_call *call) {
    double width = call->attr[PAD_WIDTH];
    return (int64_t)(width < 0 ? call->attr[PAD] : width);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const int64_t *w = call->in[0].shape.dim, *y = call->out.shape.dim;
    int64_t s = (int64_t)call->attr[STRIDE], pad = (int64_t)call->attr[PAD],
            pad_x = pad_width(call), first = (int64_t)call->attr[FIRST];
    for (int64_t tap = 0; tap < y[0] * y[1]; tap++)
        for (int64_t o = 0; o < y[2]; o++)
            for (int64_t i = 0; i < y[3]; i++) {
                int64_t part = i % (s * s), c = i / (s * s);
                int64_t ky = part / s + pad - s * (first + tap / y[1]),
                        kx = part % s + pad_x - s * (first + tap % y[1]);
                bool there = ky >= 0 && ky < w[0] && kx >= 0 && kx < w[1];
                *out++ = there ? in[0][((ky * w[1] + kx) * w[2] + c) * w[3] + o] : 0;
            }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const int64_t *w = call->in[0].shape.dim, *y = call->out.shape.dim;
    uint64_t quads = fum_desc_quads(&call->out);
    if (!quads) return true;
    struct fum_dispatch *d =
        fum_emit_quads_reading(list, "conv2d_gradient_kernel", call->out.dtype, quads, 1);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    const struct fum_conv2d_gradient_kernel_push push = {.quads = (uint32_t)quads,
                                                         .height = (uint32_t)w[0],
                                                         .width = (uint32_t)w[1],
                                                         .in_c = (uint32_t)w[2],
                                                         .out_c = (uint32_t)w[3],
                                                         .taps_x = (uint32_t)y[1],
                                                         .pad = (int32_t)call->attr[PAD],
                                                         .pad_x = (int32_t)pad_width(call),
                                                         .first = (int32_t)call->attr[FIRST]};
    fum_emit_spec(d, (uint32_t)call->attr[STRIDE]);
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_conv2d_gradient_kernel = {
    .name = "conv2d_gradient_kernel",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
