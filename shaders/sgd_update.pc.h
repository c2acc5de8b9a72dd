// SPDX-License-Identifier: MIT
// Push constants of sgd_update.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_sgd_update_push) {
    uint quads;
    float momentum, decay;
};
