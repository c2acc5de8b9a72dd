// SPDX-License-Identifier: MIT
// Push constants of kernels that compute element by element on tensors of one shape.
#include "lib/push.h"

PUSH_CONSTANTS(fum_flat_push) {
    uint quads;
};
