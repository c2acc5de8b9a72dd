// SPDX-License-Identifier: MIT
// Push constants of conv2d_gradient_kernel.
#include "lib/push.h"

PUSH_CONSTANTS(fum_conv2d_gradient_kernel_push) {
    uint quads;                      // of the output
    uint height, width, in_c, out_c; // of w
    uint taps_x;                     // of a row of the output's taps
    int pad, pad_x, first;
};
