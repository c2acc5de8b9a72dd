// SPDX-License-Identifier: MIT
// What scale and clamp share: one input, two numbers from settings 0 and 1.
#ifndef FUM_OPS_SCALAR_H
#define FUM_OPS_SCALAR_H

#include "graph/op.h"

// Adds the dispatches of x attr 0 + attr 1 or, with `clamp`, of min(max(x, attr 0), attr 1).
bool fum_scalar_dispatch(const struct fum_op_call *call, bool clamp, struct fum_dispatches *list);

#endif
