// SPDX-License-Identifier: MIT
// Push constants of timestep_embedding.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_timestep_embedding_push) {
    uint quads, dim, t_stride;
    float minus_log_period, divisor, scale; // divisor: dim / 2 - shift
};
