// SPDX-License-Identifier: MIT
// Push constants of cast.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_cast_push) {
    uint quads;
};
