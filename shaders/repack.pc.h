// SPDX-License-Identifier: MIT
// Push constants of repack.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_repack_push) {
    uint quads, x_channels, y_channels, x_skip, y_skip;
};
