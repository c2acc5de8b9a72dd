// SPDX-License-Identifier: MIT
// Push constants of channel_stats.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_channel_stats_push) {
    uint quads; // of a row
    uint rows, chunks;
};
