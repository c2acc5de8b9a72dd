// SPDX-License-Identifier: MIT
// Push constants of binary.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_binary_push) {
    uint quads, row_quads;  // of this window of y; quads per row
    uint first_row, d1, d2; // y's row where the window starts; its dimensions before the channels
    // Quad of operand row 0 in its window (wraps below zero), quads per row, and rows per step of
    // y's dimensions (0: broadcast).
    uint a_base, a_row_quads;
    uint a_stride[3];
    uint b_base, b_row_quads;
    uint b_stride[3];
    uint y_skip;
};
