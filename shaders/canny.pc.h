// SPDX-License-Identifier: MIT
// Push constants of canny_ridges and canny_follow.
#include "lib/push.h"

PUSH_CONSTANTS(fum_canny_push) {
    uint height, width; // pixels
    int low, high;      // of canny_ridges: thresholds of the gradient's squared length
};
