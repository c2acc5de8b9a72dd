// SPDX-License-Identifier: MIT
// Push constants of random.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_random_push) {
    uint quads, channels;
    uint first; // quad of the tensor
};
