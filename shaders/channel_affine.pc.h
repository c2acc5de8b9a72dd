// SPDX-License-Identifier: MIT
// Push constants of channel_affine.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_channel_affine_push) {
    uint quads; // of a row
    uint rows;  // in this dispatch
    uint x_skip, y_skip;
};
