// SPDX-License-Identifier: MIT
// Push constants of unary.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_unary_push) {
    uint quads;
};
