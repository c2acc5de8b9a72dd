// SPDX-License-Identifier: MIT
// Push constants of pool.comp and of the gradients of pools. lib/pool.glsl reads them.
#include "lib/push.h"

PUSH_CONSTANTS(fum_pool_push) {
    uint quads, row_quads;         // of this window of the result; quads of a pixel
    uint in_h, in_w, out_h, out_w; // of the image that is pooled, and of what it gives
    int kernel, stride, pad;
    uint counts_pad; // an average divides by all places of its window, also those outside
    uint skip[3];    // quads before the window in each binding
};
