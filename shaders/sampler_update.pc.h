// SPDX-License-Identifier: MIT
// Push constants of sampler_update.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_sampler_update_push) {
    uint quads;    // of one tensor of the history
    uint coef_row; // floats of a row of coefs
    int last;      // the last row of coefs
    // Rows of noise in this window. The first window also serves steps without noise.
    int noise_first, noise_count;
    uint noise_skip;
    uint first_window;
    int noise_last;     // the last row of all
    uint picture_quads; // of one picture
};
