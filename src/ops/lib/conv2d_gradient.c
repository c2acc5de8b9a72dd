// SPDX-License-Identifier: MIT
#include "ops/lib/conv2d_gradient.h"

#include "shaders/conv2d_gradient.pc.h"

const struct fum_attr_def fum_conv_gradient_attrs[] = {
    {"stride", 1}, {"pad", 0}, {"height", 1}, {"width", 1}, {"pad_width", -1}, {NULL, 0}};

struct fum_conv_gradient fum_conv_gradient_of(const struct fum_op_call *call,
                                              const struct fum_shape *x, const struct fum_shape *y,
                                              const struct fum_shape *w) {
    return (struct fum_conv_gradient){.batches = x->dim[0],
                                      .in_h = x->dim[1],
                                      .in_w = x->dim[2],
                                      .in_c = x->dim[3],
                                      .out_h = y->dim[1],
                                      .out_w = y->dim[2],
                                      .out_c = y->dim[3],
                                      .kernel_h = w->dim[0],
                                      .kernel_w = w->dim[1],
                                      .stride = (int64_t)call->attr[FUM_CONV_GRADIENT_STRIDE],
                                      .pad = (int64_t)call->attr[FUM_CONV_GRADIENT_PAD],
                                      .pad_x = (int64_t)call->attr[FUM_CONV_GRADIENT_PAD]};
}

bool fum_conv_gradient_next(const struct fum_conv_gradient *c, struct fum_conv_pair *pair) {
    int64_t taps = c->kernel_h * c->kernel_w, outputs = c->batches * c->out_h * c->out_w;
    for (; pair->next < outputs * taps; pair->next++) {
        int64_t o = pair->next / taps, tap = pair->next % taps, image = o / c->out_w / c->out_h;
        int64_t y = o / c->out_w % c->out_h * c->stride + tap / c->kernel_w;
        int64_t x = o % c->out_w * c->stride + tap % c->kernel_w;
        y -= c->pad;
        x -= c->pad_x;
        if (y < 0 || y >= c->in_h || x < 0 || x >= c->in_w) continue;
        pair->output = o;
        pair->tap = tap;
        pair->pixel = (image * c->in_h + y) * c->in_w + x;
        pair->next++;
        return true;
    }
    return false;
}

double fum_conv_gradient_flops(const struct fum_conv_gradient *c) {
    return 2.0 * (double)(c->batches * c->out_h * c->out_w) * (double)(c->kernel_h * c->kernel_w) *
           (double)(c->in_c * c->out_c);
}

bool fum_conv_gradient_dispatch(const struct fum_op_call *call, const char *shader,
                                const struct fum_conv_gradient *c, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->out);
    if (!quads) return true;
    struct fum_dispatch *d = fum_emit(list, shader, call->out.dtype, quads);
    if (!d || !fum_emit_input(list, d, 0, &call->in[0]) ||
        !fum_emit_input(list, d, 1, &call->in[1]) || !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    if (c->bias) fum_emit_operand(d, c->bias);
    const struct fum_conv2d_gradient_push push = {.quads = (uint32_t)quads,
                                                  .batches = (uint32_t)c->batches,
                                                  .in_h = (uint32_t)c->in_h,
                                                  .in_w = (uint32_t)c->in_w,
                                                  .in_c = (uint32_t)c->in_c,
                                                  .out_h = (uint32_t)c->out_h,
                                                  .out_w = (uint32_t)c->out_w,
                                                  .out_c = (uint32_t)c->out_c,
                                                  .kernel_h = (uint32_t)c->kernel_h,
                                                  .kernel_w = (uint32_t)c->kernel_w,
                                                  .stride = (int32_t)c->stride,
                                                  .pad = (int32_t)c->pad,
                                                  .pad_x = (int32_t)c->pad_x};
    FUM_EMIT_PUSH(d, push);
    return true;
}
