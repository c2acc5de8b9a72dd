// SPDX-License-Identifier: MIT
// What average and maximum pools of images [batch, height, width, channels] and their gradients
// share: settings, sizes, windows and dispatch.
#ifndef FUM_OPS_POOL_H
#define FUM_OPS_POOL_H

#include "graph/gradient.h"

// Settings, in order. Windows of kernel x kernel pixels start `stride` pixels apart (0: kernel),
// with `pad` places around the image. Gradients also have the image's height and width.
enum {
    FUM_POOL_KERNEL,
    FUM_POOL_STRIDE,
    FUM_POOL_PAD,
    FUM_POOL_COUNT_INCLUDE_PAD,
    FUM_POOL_HEIGHT,
    FUM_POOL_WIDTH
};
extern const struct fum_attr_def fum_pool_attrs[], fum_pool_gradient_attrs[];

struct fum_pool {
    int64_t batches, in_h, in_w, channels, out_h, out_w, kernel, stride, pad;
    bool counts_pad; // an average divides by all places of its window, also those outside
};

// Reads the settings for an image [batch, height, width, channels]. Returns false, with `why`, if
// no window fits the image or one could lie in the padding alone.
bool fum_pool_of(const struct fum_op_call *call, const struct fum_shape *image,
                 struct fum_pool *pool, struct fum_why *why);
// Sets the output of a pool of input 0.
bool fum_pool_infer(struct fum_op_call *call, struct fum_why *why);
// Sets the output of a gradient, an image with the channels of dy.
bool fum_pool_gradient_infer(struct fum_op_call *call, const struct fum_desc *dy,
                             struct fum_why *why);

// One window of an image: the part inside it, ends excluded.
struct fum_pool_window {
    int64_t top, bottom, left, right;
    double divisor;
    int64_t next; // where the walk goes on
};
// Steps to the next of all windows, which are in the order of the outputs' pixels; start with all
// zero. Returns false after the last.
bool fum_pool_next(const struct fum_pool *pool, struct fum_pool_window *window);
// Returns the number of the image's first element in a tensor, for the window just returned.
int64_t fum_pool_image(const struct fum_pool *pool, const struct fum_pool_window *window);

// Adds the dispatches of a kernel whose bindings are the inputs and the output. `maximum` is its
// specialisation constant; -1: it has none.
bool fum_pool_dispatch(const struct fum_op_call *call, const char *shader, int maximum,
                       struct fum_dispatches *list);

// Adds the op of a pool's gradient to its settings.
fum_tensor *fum_pool_add_gradient(struct fum_gradient *g, const char *op, struct fum_inputs inputs);
double fum_pool_flops(const struct fum_op_call *call);

#endif
