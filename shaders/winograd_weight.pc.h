// SPDX-License-Identifier: MIT
// Push constants of winograd_weight and winograd_weight_gradient.
#include "lib/push.h"

PUSH_CONSTANTS(fum_winograd_weight_push) {
    uint quads;  // of one tap: rows times n_quads
    uint u_skip; // quads before the first point
    uint zero;   // for touch.glsl
};
