// SPDX-License-Identifier: MIT
// Push constants of ema_update.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_ema_update_push) {
    uint quads;
    float decay, rest; // rest: 1 - decay
};
