// SPDX-License-Identifier: MIT
// Push constants of geglu.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_geglu_push) {
    uint quads, x_row_quads, x_skip, y_skip;
};
