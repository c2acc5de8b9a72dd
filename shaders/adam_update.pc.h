// SPDX-License-Identifier: MIT
// Push constants of adam_update.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_adam_update_push) {
    uint quads;
    float beta1, rest1, beta2, rest2; // rest: 1 - beta
    float eps, decay;
};
