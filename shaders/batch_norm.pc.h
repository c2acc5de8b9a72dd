// SPDX-License-Identifier: MIT
// Push constants of batch_norm.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_batch_norm_push) {
    uint quads, row_quads; // of this window of x
    uint x_skip, y_skip;   // quads before it in its bindings
    float eps;
};
