// SPDX-License-Identifier: MIT
// Declares what the ops of the sampling loop share. The state of a sampler is K tensors of latents
// [B, H, W, C] in one f32 tensor [K B, H, W, C]. coefs [E, P] holds one row of P numbers per model
// evaluation, laid out as base/sampler_row.h says. The counter, an i32 [1], is the next row.
#ifndef FUM_OPS_SAMPLER_H
#define FUM_OPS_SAMPLER_H

#include "base/sampler_row.h"
#include "graph/op.h"

// Most copies of a picture in one evaluation.
enum { FUM_SAMPLER_MAX_COPIES = 64 };

// Which inputs of an op these are.
struct fum_sampler_inputs {
    int state, coefs, counter;
};
// Reads settings 0 (history: K) and 1 (copies) and checks state, coefs and counter.
bool fum_sampler_check(const struct fum_op_call *call, struct fum_sampler_inputs inputs,
                       int least_coefs, struct fum_why *why);
// Returns the description of one tensor of the history: [B, H, W, C].
struct fum_desc fum_sampler_point(const struct fum_op_call *call);
// Returns the row of coefs that the counter points at, clamped to the table.
int64_t fum_sampler_row(const struct fum_desc *coefs, double counter);

#endif
