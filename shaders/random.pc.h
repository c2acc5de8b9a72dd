// SPDX-License-Identifier: MIT
// Push constants of random.comp and random_integer.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_random_push) {
    uint quads, channels;
    uint first;  // quad of the tensor
    uint offset; // added to the key's
    uint limit;  // of integers
};
