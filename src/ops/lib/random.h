// SPDX-License-Identifier: MIT
// Declares what random_normal and random_uniform share: Philox4x32-10 as torch's CUDA generator
// uses it. The key is an i32 [4]: seed low, seed high, offset (the number of the draw), 0. Element
// i, counted without padding, takes the first two words x, y of philox. Its counter is
// (offset, 0, i, 0), its key (seed low, seed high). The draw is
//     uniform  u = 2^-32 x + 2^-33, in (0, 1]
//     normal   √(-2 ln u) sin v, v = 2π (2^-32 y + 2^-33)
// with u and v rounded to f32.
#ifndef FUM_OPS_RANDOM_H
#define FUM_OPS_RANDOM_H

#include "graph/op.h"
#include "ops/lib/shape_attrs.h"

// Settings: the output's shape, then its type (-1: the graph's).
#define FUM_RANDOM_ATTR_DEFS \
    FUM_SHAPE_ATTR_DEFS, {   \
        "dtype", -1          \
    }

bool fum_random_infer(struct fum_op_call *call, struct fum_why *why);
void fum_random_reference(const struct fum_op_call *call, bool normal, const double *const *in,
                          double *out);
bool fum_random_dispatch(const struct fum_op_call *call, bool normal, struct fum_dispatches *list);

#endif
