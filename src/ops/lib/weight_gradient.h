// SPDX-License-Identifier: MIT
// The gradient of conv2d by its weight as a matrix product over the pixels of dy. It has parts that
// fit the device's bindings, and splits of the pixels whose sums are added in a fixed order.
#ifndef FUM_OPS_WEIGHT_GRADIENT_H
#define FUM_OPS_WEIGHT_GRADIENT_H

#include "ops/lib/conv2d_gradient.h"

enum { FUM_WEIGHT_KERNEL_SPECS = 5 };

// A kernel with the bindings x, dy and dw, and its block.
struct fum_weight_kernel {
    const char *shader;
    uint32_t texels;                         // bindings that are read as texels
    uint32_t lanes;                          // invocations of a workgroup
    uint32_t rows, columns;                  // of a workgroup's block, multiples of 4
    uint32_t step;                           // pixels of a step
    int64_t splits;                          // of the pixels that are best for the device
    uint32_t specs[FUM_WEIGHT_KERNEL_SPECS]; // those after PARTIAL and WRAPS
    int num_specs;
};

// Returns the rows of dw as the kernels count them: channels of each tap in whole quads.
int64_t fum_weight_gradient_rows(const struct fum_conv_gradient *c);
// Returns how many pixels dy has, all images together.
int64_t fum_weight_gradient_pixels(const struct fum_conv_gradient *c);

// Adds the dispatches of a call by a kernel. Returns false, with list->why, if they do not fit the
// device's bindings.
bool fum_weight_gradient_dispatch(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                                  const struct fum_weight_kernel *kernel,
                                  struct fum_dispatches *list);

// Products with sums in f32. Layer i is the product of terms [i terms, (i + 1) terms) of x and dy,
// which are f32 in rows of whole quads.
struct fum_weight_layers {
    const struct fum_weight_kernel *kernel;
    int64_t layers, terms, rows, columns;
    struct fum_dispatch_bind x, dy, sums;
};
bool fum_weight_gradient_emit_layers(struct fum_dispatches *list,
                                     const struct fum_weight_layers *layers);

#endif
