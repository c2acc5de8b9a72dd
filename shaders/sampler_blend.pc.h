// SPDX-License-Identifier: MIT
// Push constants of sampler_blend.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_sampler_blend_push) {
    uint quads, level_row; // of one tensor of the history; floats of a row of levels
    int last;              // the last row of levels
};
