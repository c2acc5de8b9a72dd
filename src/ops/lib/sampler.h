// SPDX-License-Identifier: MIT
// What the ops of the sampling loop share. The state of a sampler is K slots of latents [B, H, W,
// C] in one f32 tensor [K B, H, W, C]; coefs [E, P] holds one row of P numbers per model
// evaluation; the counter, an i32 [1], says which is next. Row e:
//   0 c_in   1 guidance g   2 a   3 b   4 clip (0: none)   5 row of noise (-1: none)   6... M, K ×
//   (K + 3) row-major
#ifndef FUM_OPS_SAMPLER_H
#define FUM_OPS_SAMPLER_H

#include "graph/op.h"

enum {
    FUM_COEF_INPUT,
    FUM_COEF_GUIDANCE,
    FUM_COEF_A,
    FUM_COEF_B,
    FUM_COEF_CLIP,
    FUM_COEF_NOISE,
    FUM_COEF_MATRIX,
    FUM_SAMPLER_SLOTS = 8,
};

// Reads settings 0 (slots) and 1 (copies) and checks state, coefs and counter.
bool fum_sampler_check(const struct fum_op_call *call, int state, int coefs, int counter,
                       int least_coefs, char *why, size_t why_size);
// One slot of the state: [B, H, W, C].
struct fum_desc fum_sampler_slot(const struct fum_op_call *call);
// The row of coefs that the counter points at, held within the table.
int64_t fum_sampler_row(const struct fum_desc *coefs, float counter);

#endif
