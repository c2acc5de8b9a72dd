// SPDX-License-Identifier: MIT
// What the updates of optimisers share: a factor of the gradient, and how they bind what they
// write.
#ifndef FUM_OPS_UPDATE_H
#define FUM_OPS_UPDATE_H

#include "ops/lib/emit.h"

// Checks that an optional input is one number.
bool fum_update_check_factor(const struct fum_op_call *call, int input, struct fum_why *why);
// Returns the factor, or 1 if the call has none.
double fum_update_factor(const struct fum_op_call *call, int input, const double *const *in);
// Serves a skipped update's reference: inputs 0 to count - 1, all of the output's shape, stay.
void fum_update_keep(const struct fum_op_call *call, int count, const double *const *in,
                     double *out);
// Binds a span of an f32 input that the update writes.
void fum_update_emit_written(struct fum_dispatch *d, int operand, const struct fum_span *span);

#endif
