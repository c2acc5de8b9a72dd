// SPDX-License-Identifier: MIT
// Push constants of group_norm_sums.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_sums_push) {
    uint quads;         // of a row
    uint batches, rows; // rows of a batch
    uint chunks;        // partial sums of each result
};
