// SPDX-License-Identifier: MIT
// Push constants of group_norm_scale.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_scale_push) {
    uint quads; // of a row
    uint chunk_rows;
    uint groups, group_channels;
    uint rows, chunks, batches;
    float eps;
};
