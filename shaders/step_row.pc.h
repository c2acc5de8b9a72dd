// SPDX-License-Identifier: MIT
// Push constants of step_row.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_step_row_push) {
    uint quads;
    int last; // the last row of the table
};
