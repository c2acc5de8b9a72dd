// SPDX-License-Identifier: MIT
// Push constants of group_norm_gradient and group_norm_gradient_terms.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_gradient_push) {
    uint quads, channels, group_channels; // of a row; channels of a group
    uint batches, first_batch;            // of this dispatch
    float inverse_count;                  // 1 / elements of a group
    uint rows, blocks; // of a batch in this dispatch; blocks of rows that they make
    uint dy_skip, x_skip, dx_skip;
};
