// SPDX-License-Identifier: MIT
// Push constants of norm_gradient.
#include "lib/push.h"

PUSH_CONSTANTS(fum_norm_gradient_push) {
    uint channels, rows, x_skip, dy_skip, dx_skip;
    float eps;
};
