// SPDX-License-Identifier: MIT
// Push constants of attention_weights.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_attention_weights_push) {
    uint rows, keys;
    float scale, factor;
};
