// SPDX-License-Identifier: MIT
// What conv2d's gradient by its weight and conv_transpose2d share. These are their sizes, the pairs
// of pixels and outputs that a tap joins, and the dispatch of the plain kernels.
#ifndef FUM_OPS_CONV2D_GRADIENT_H
#define FUM_OPS_CONV2D_GRADIENT_H

#include "ops/lib/emit.h"

// Settings of both, in order.
enum {
    FUM_CONV_GRADIENT_STRIDE,
    FUM_CONV_GRADIENT_PAD,
    FUM_CONV_GRADIENT_HEIGHT,
    FUM_CONV_GRADIENT_WIDTH,
    FUM_CONV_GRADIENT_PAD_WIDTH // of the weight's: as that of conv2d
};
extern const struct fum_attr_def fum_conv_gradient_attrs[];

struct fum_conv_gradient {
    int64_t batches, in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w;
    int64_t stride, pad, pad_x;
    int bias; // input that is a bias of the image, bound after the output; 0: none
};
// Returns the sizes of a convolution of image x by weight w that gives y, with a call's settings.
struct fum_conv_gradient fum_conv_gradient_of(const struct fum_op_call *call,
                                              const struct fum_shape *x, const struct fum_shape *y,
                                              const struct fum_shape *w);

// An output, counted over all images, and the pixel that it reads by a tap.
struct fum_conv_pair {
    int64_t output, tap, pixel;
    int64_t next; // where the search goes on
};
// Steps to the next pair whose pixel lies in the image; start with all zero. Returns false after
// the last.
bool fum_conv_gradient_next(const struct fum_conv_gradient *c, struct fum_conv_pair *pair);

double fum_conv_gradient_flops(const struct fum_conv_gradient *c);
// Adds the dispatch of a gradient's kernel, whose bindings are the two inputs and the output.
bool fum_conv_gradient_dispatch(const struct fum_op_call *call, const char *shader,
                                const struct fum_conv_gradient *c, struct fum_dispatches *list);

#endif
