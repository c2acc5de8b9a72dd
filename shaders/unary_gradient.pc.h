// SPDX-License-Identifier: MIT
// Push constants of unary_gradient.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_unary_gradient_push) {
    uint quads;
    float least, most;
};
