// SPDX-License-Identifier: MIT
// Push constants of clip_factor.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_clip_factor_push) {
    float clip; // 0: none
};
