// SPDX-License-Identifier: MIT
// Push constants of gemm_reduce.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_gemm_reduce_push) {
    uint rows, n_quads, splits; // rows: of all batches
    uint y_skip, residual_skip;
    uint row_begin, row_phase, row_share; // as of gemm_tiled
    float scale;
};
