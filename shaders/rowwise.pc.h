// SPDX-License-Identifier: MIT
// Push constants of the ops that map rows to rows: layer_norm, rms_norm and softmax.
#include "lib/push.h"

PUSH_CONSTANTS(fum_rowwise_push) {
    uint channels, rows, x_skip, y_skip;
    float eps; // unused by softmax
};
