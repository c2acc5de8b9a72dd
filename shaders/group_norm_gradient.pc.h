// SPDX-License-Identifier: MIT
// Push constants of group_norm_gradient and group_norm_gradient_terms.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_gradient_push) {
    uint quads, channels, group_channels; // of a row; channels of a group
    uint batches, batch_rows;
    float inverse_count;  // 1 / elements of a group
    uint first_row, rows; // of this dispatch
    uint dy_skip, x_skip, dx_skip;
};
