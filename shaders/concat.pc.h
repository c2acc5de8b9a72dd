// SPDX-License-Identifier: MIT
// Push constants of concat and concat_texel.
#include "lib/push.h"

PUSH_CONSTANTS(fum_concat_push) {
    uint runs, run;
    // Where in a run of the output each input ends: those that are absent end with the run.
    uint end0, end1, end2, end3, end4;
};
