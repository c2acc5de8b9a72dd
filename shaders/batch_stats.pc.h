// SPDX-License-Identifier: MIT
// Push constants of batch_stats.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_batch_stats_push) {
    uint quads, rows; // of x: quads of a row
    uint chunks;      // of rows
    float divisor;    // of the sums of squared differences
};
