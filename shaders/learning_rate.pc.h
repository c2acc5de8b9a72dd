// SPDX-License-Identifier: MIT
// Push constants of learning_rate.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_learning_rate_push) {
    float lr;
    int warmup, steps;
    float log_beta1, log_beta2;
};
