// SPDX-License-Identifier: MIT
// Push constants of check_finite.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_check_finite_push) {
    uint quads, row_quads, channels;
    uint first; // quad of the tensor
    int code;
};
