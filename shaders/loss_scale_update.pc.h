// SPDX-License-Identifier: MIT
// Push constants of loss_scale_update.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_loss_scale_update_push) {
    float growth, backoff;
    int interval;
};
