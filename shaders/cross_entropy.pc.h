// SPDX-License-Identifier: MIT
// Push constants of cross_entropy.comp and cross_entropy_gradient.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_cross_entropy_push) {
    uint items;   // quads of labels, or rows of logits
    uint classes; // channels of the logits
    uint labels;  // channels of the labels
};
