// SPDX-License-Identifier: MIT
// Push constants of quantise_rows.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_quantise_rows_push) {
    uint blocks;
    uint x_skip; // quads before the first block
    uint first;  // number of the first block in the result
};
