// SPDX-License-Identifier: MIT
// Push constants of scalar.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_scalar_push) {
    uint quads;
    float mul, add;
};
