// SPDX-License-Identifier: MIT
// A convolution's sizes, for every variant of its kernels.
#ifndef FUM_OPS_CONV2D_H
#define FUM_OPS_CONV2D_H

#include "ops/lib/gemm.h"

// Settings of conv2d, in order.
extern const struct fum_attr_def fum_conv_attrs[];
enum {
    FUM_CONV_STRIDE,
    FUM_CONV_PAD,
    FUM_CONV_PAD_END_EXTRA,
    FUM_CONV_UPSAMPLE,
    FUM_CONV_ACT,
    FUM_CONV_NORM_ACT,
    FUM_CONV_PAD_WIDTH, // left and right; -1: as above and below
    FUM_CONV_PANELS     // 1: w is square and lies in panels of outputs
};

// Optional input after those of the epilogue: f32 [batch, 2, in], scales and shifts. The
// convolution then reads norm_act(x scale + shift) in place of x; what is outside the image is zero
// after that.
enum { FUM_CONV_NORM = FUM_GEMM_RESIDUAL + 1 };
bool fum_conv_infer_norm(const struct fum_op_call *call, struct fum_why *why);

struct fum_conv {
    // up: 1 or 2
    int64_t batches, in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w, stride, pad, pad_x,
        up;
    struct fum_desc w; // as it lies in memory
    bool panels;       // w is [height, width out / FUM_PACK_PANEL, in, FUM_PACK_PANEL]
    const struct fum_packing *quantised; // of w; NULL: it is dense
};

// Returns the padding left and right, from the settings of a call or node.
static inline int64_t fum_conv_pad_width(const double *attr) {
    int64_t width = (int64_t)attr[FUM_CONV_PAD_WIDTH];
    return width < 0 ? (int64_t)attr[FUM_CONV_PAD] : width;
}

// Returns the shape of w without panels, [height, width, in, out].
struct fum_shape fum_conv_kernel(const struct fum_op_call *call);

static inline struct fum_conv fum_conv_of(const struct fum_op_call *call) {
    const struct fum_shape kernel = fum_conv_kernel(call);
    const int64_t *x = call->in[0].shape.dim, *w = kernel.dim, *y = call->out.shape.dim;
    return (struct fum_conv){.batches = x[0],
                             .in_h = x[1],
                             .in_w = x[2],
                             .in_c = x[3],
                             .out_h = y[1],
                             .out_w = y[2],
                             .out_c = y[3],
                             .kernel_h = w[0],
                             .kernel_w = w[1],
                             .stride = (int64_t)call->attr[FUM_CONV_STRIDE],
                             .pad = (int64_t)call->attr[FUM_CONV_PAD],
                             .pad_x = fum_conv_pad_width(call->attr),
                             .up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1,
                             .w = fum_call_memory(call, FUM_GEMM_W),
                             .panels = call->attr[FUM_CONV_PANELS] != 0,
                             .quantised = call->quantised[FUM_GEMM_W]};
}

// True for a 1x1 kernel with nothing around it, which is a matrix product over the pixels.
bool fum_conv_is_product(const struct fum_conv *c);
struct fum_gemm fum_conv_product(const struct fum_op_call *call, const struct fum_conv *c);

// One image of the inputs, for references.
struct fum_conv_image {
    const struct fum_conv *conv;
    const double *x, *norm; // norm: scales, then shifts; NULL: none
    enum fum_act norm_act;
};
// Returns image `batch` of a call.
struct fum_conv_image fum_conv_image_of(const struct fum_op_call *call, const struct fum_conv *conv,
                                        const double *const *in, int64_t batch);
// Returns channel k of a pixel as the convolution reads it: upsampled, normalised, 0 outside.
double fum_conv_pixel(const struct fum_conv_image *image, int64_t y, int64_t x, int64_t k);

// Cuts a convolution into parts of images and their rows of pixels. Returns false, with `why`, if
// none fits the device's bindings.
bool fum_conv_cut(const struct fum_op_call *call, const struct fum_conv *c,
                  const struct fum_device_info *info, struct fum_cut *cut, struct fum_why *why);
// Input rows [first, first + count) of pixels of an image.
struct fum_conv_lines {
    int64_t first, count;
};
// Returns those that output rows [first, first + count) touch, at least one.
struct fum_conv_lines fum_conv_input_lines(const struct fum_conv *c, int64_t first, int64_t count);
// Returns the pixels of x that a part reads: whole images where it has several, else the lines that
// the part's rows touch. *first_line: where they start in their image.
struct fum_rows fum_conv_x_rows(const struct fum_op_call *call, const struct fum_conv *c,
                                const struct fum_part *part, int64_t *first_line);
// Returns the most output rows of one image whose windows of x, out and residual fit a binding
// each.
int64_t fum_conv_rows_that_fit(const struct fum_op_call *call, const struct fum_conv *c,
                               const struct fum_device_info *info);

// Adds the dispatches of a convolution that is no plain matrix product, by one family of kernels.
bool fum_conv_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_conv *conv, struct fum_dispatches *list);

#endif
