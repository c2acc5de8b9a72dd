// SPDX-License-Identifier: MIT
// Push constants of transpose.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_transpose_push) {
    uint quads, row_quads, channels; // of y
    uint d1, d2;                     // y's dimensions 1 and 2 of 4
    uint stride[4];                  // elements of x, padding counted, per step of y's dimensions
};
