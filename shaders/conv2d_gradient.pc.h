// SPDX-License-Identifier: MIT
// Push constants of conv2d_input_gradient, conv2d_weight_gradient and conv_transpose2d.
#include "lib/push.h"

PUSH_CONSTANTS(fum_conv2d_gradient_push) {
    uint quads;                     // of the output
    uint batches, in_h, in_w, in_c; // the image
    uint out_h, out_w, out_c;       // dy
    uint kernel_h, kernel_w;
    int stride, pad, pad_x; // padding above and left
};
