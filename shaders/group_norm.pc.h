// SPDX-License-Identifier: MIT
// Push constants of group_norm and, without the skips, group_norm_affine.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_push) {
    uint quads; // of a row
    uint groups, group_channels;
    uint rows, batches;
    float eps;
    uint x_quads; // of a row, in x
    uint x_skip, y_skip, x1_skip;
    uint span; // groups of a workgroup, at most 4
};
