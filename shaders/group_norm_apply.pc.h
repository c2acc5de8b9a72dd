// SPDX-License-Identifier: MIT
// Push constants of group_norm_apply.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_apply_push) {
    uint quads;  // of a row
    uint rows;   // of a batch in this dispatch
    uint blocks; // of a batch in this dispatch
    uint batches, first_batch;
    uint x_skip, y_skip;
};
