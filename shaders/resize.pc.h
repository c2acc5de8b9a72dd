// SPDX-License-Identifier: MIT
// Push constants of resize.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_resize_push) {
    uint quads; // of y in this window
    uint factor;
    uint width;       // of x
    uint channels;    // of y
    uint x_row_quads; // of a pixel of x
    uint first_line;  // of y in this window
    uint x_base;      // quad of line 0 of x in its window (wraps below zero)
    uint y_skip;
};
