// SPDX-License-Identifier: MIT
// Push constants of square_sum.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_square_sum_push) {
    uint count;               // quads of x, or partial sums to add
    uint parts, first_part;   // sums to write, and where the first of them goes
    uint row_quads, channels; // of x
    uint first;               // quad of a row where x starts
};
