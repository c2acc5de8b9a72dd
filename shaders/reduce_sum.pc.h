// SPDX-License-Identifier: MIT
// Push constants of reduce_sum.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_reduce_sum_push) {
    uint cells, terms, chunks;
    uint row_quads, channels; // of x
    uint y_d1, y_d2;          // y's dimensions 1 and 2 of 4
    uint sum_d1, sum_d2;      // the dimensions summed over, 1 where y has them
    uint stride0, stride1;    // rows of x per step of its dimensions 0 and 1
};
