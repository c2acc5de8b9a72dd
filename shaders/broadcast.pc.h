// SPDX-License-Identifier: MIT
// Push constants of broadcast.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_broadcast_push) {
    uint quads, y_row_quads, x_row_quads;
    uint d1, d2;    // y's dimensions 1 and 2 of 4
    uint stride[3]; // rows of x per step of y's dimensions before the channels; 0: repeated
};
