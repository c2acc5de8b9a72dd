// SPDX-License-Identifier: MIT
// Push constants of sampler_input.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_sampler_input_push) {
    uint quads, coef_row; // of one copy; floats per row of coefs
    int last;             // the last row of coefs
};
