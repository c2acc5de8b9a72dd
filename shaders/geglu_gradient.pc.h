// SPDX-License-Identifier: MIT
// Push constants of geglu_gradient.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_geglu_gradient_push) {
    uint quads, row_quads, x_skip, dy_skip, dx_skip;
};
